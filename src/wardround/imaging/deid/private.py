"""Private elements that are safe: creators and elements of PS3.15 table E.3.10-1, whose values are numbers or codes.

`_LISTED` follows that table row by row, but for its ultrasound and brain volumetry parts, and Lorad's, whose values
pydicom's private dictionary calls bytes. Of the rows here, those are used whose VR that dictionary knows as a number
or a code: of a text without a form, a sequence or bytes (such as a codec's content) nobody knows what stands in it.
The page of actions lists what is used, so that it can be compared with the standard's table.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from pydicom._private_dict import private_dictionaries
from pydicom.dataset import Dataset

from wardround.imaging.deid.elements import text_at
from wardround.imaging.deid.policy import NUMBER_STRINGS, NUMBERS

_LISTED = {
    "Philips PET Private Group": "7053:00,09",
    "Philips MR Imaging DD 001": "2005:0d,0e",
    "Philips Imaging DD 001": "2001:03,04",
    "SIEMENS MR HEADER": "0019:0c,0d,0e,27",
    "ELSCINT1": "00e1:21 01e1:26,50 01f1:01,07,26,27",
    "GEMS_ACQU_01": "0019:23,24,27,9e",
    "GEMS_SERS_01": "0025:07",
    "GEMS_PARM_01": "0043:27,39,6f",
    "GEMS_HELIOS_01": "0045:01,02",
    "GEMS_SENO_02": "0045:06,1b,20,27,29,2a,2b,49,58,59,60,61,64,71,72,90,a0,a1,a2,a4,a7,a8",
    "GEIIS PACS": "0903:10,11,12",
    "HOLOGIC, Inc.": "0019:06,07,08,16,25,26,27,28,29,30,31,32,33,34,35,37,40,41,42,43,44,45,46,50,51,52,53,60,61,"
    "62,70,71,80,85,87,89,8a,90,97,98",
}


class Safe(NamedTuple):
    """A safe private element: its VR, and its block's creator."""

    vr: str
    creator_tag: int
    creator: str


def safe_creator(dataset: Dataset, tag: int, encodings: Sequence[str]) -> Safe | None:
    """What a private element of a dataset is, if it is safe (PS3.5 7.8.1: its block's creator names it)."""
    creator_tag = tag & 0xFFFF0000 | (tag >> 8 & 0xFF)
    if not tag & 0xFF00 or creator_tag not in dataset:
        return None
    creator = text_at(dataset, creator_tag, encodings)
    vr = safe_private().get((creator, tag >> 16, tag & 0xFF))
    return None if vr is None else Safe(vr, creator_tag, creator)


def meaning(creator: str, group: int, element: int) -> str:
    """What pydicom's private dictionary calls an element, "" if it has no name for it."""
    entry = private_dictionaries.get(creator, {}).get(f"{group:04X}xx{element:02X}", ("", "", ""))
    return "" if entry[2] == "Unknown" else str(entry[2])


@cache
def safe_private() -> Mapping[tuple[str, int, int], str]:
    """(creator, group, last byte of the element) → VR, of the safe private elements."""
    found = {}
    for creator, blocks in _LISTED.items():
        for block in blocks.split():
            group, _, elements = block.partition(":")
            for element in elements.split(","):
                entry = private_dictionaries.get(creator, {}).get(f"{group.upper()}xx{element.upper()}")
                if entry and (entry[0] in NUMBERS or entry[0] in NUMBER_STRINGS or entry[0] == "CS"):
                    found[creator, int(group, 16), int(element, 16)] = entry[0]
    return found
