"""The keyed mark by which a site knows its own output, so that a second pass leaves it as it is.

`PatientIdentityRemoved` can be set by anyone, on anything. The mark is an HMAC with the site's key over the options'
digest and every element but the pixels: nobody else can make it, and it is void as soon as an element is
changed, added or taken away. It stands in a private block of group 0073.
"""

import hmac
import struct

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from wardround.imaging.deid.elements import UTF8, Elements, added, made, meet
from wardround.imaging.deid.pseudonyms import Pseudonyms
from wardround.imaging.deid.values import padded

CREATOR = "WARDROUND DEID"
_CREATOR, _OPTIONS, _MARK = 0x00730010, 0x00731001, 0x00731002
_PIXELS = 0x7FE0


def add_mark(elements: Elements, digest: str, pseudonyms: Pseudonyms) -> None:
    """Marks the elements of a finished output."""
    added(elements, made(_CREATOR, "LO", CREATOR.encode()), made(_OPTIONS, "LO", digest.encode()))
    added(elements, made(_MARK, "OB", pseudonyms.mark(_encoded(list(elements.values())))))


def marked_options(dataset: Dataset, pseudonyms: Pseudonyms) -> str | None:
    """The digest of the options with which this site's key made this object, or None if the mark does not hold."""
    if _MARK not in dataset or _OPTIONS not in dataset:
        return None
    mark, options = dataset.get_item(_MARK).value, dataset.get_item(_OPTIONS).value
    text = options.decode("ascii", "replace") if isinstance(options, bytes) else str(options)
    if not isinstance(mark, bytes) or not hmac.compare_digest(
        mark, pseudonyms.mark(_encoded(list(dataset.elements())))
    ):
        return None
    return text.strip(" \0")


def _encoded(elements: list[DataElement | RawDataElement]) -> list[bytes]:
    """The elements as explicit VR little endian, without the mark and the pixels."""
    parts = []
    for element in sorted(elements, key=lambda each: each.tag):
        tag = int(element.tag)
        if tag == _MARK or tag >> 16 == _PIXELS:
            continue
        vr = element.VR or "UN"
        value = _value(element, vr)
        width = "<HH2sHI" if vr in EXPLICIT_VR_LENGTH_32 else "<HH2sH"
        lengths = (0, len(value)) if vr in EXPLICIT_VR_LENGTH_32 else (len(value) & 0xFFFF,)
        parts += [struct.pack(width, tag >> 16, tag & 0xFFFF, vr.encode(), *lengths), value]
    return parts


def _value(element: DataElement | RawDataElement, vr: str) -> bytes:
    if isinstance(element, RawDataElement):
        return element.value or b""
    if vr == "SQ":
        items = (b"".join(_encoded(list(item.elements()))) for item in element.value or ())
        return b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in items)
    met = meet(element, Dataset(), UTF8)
    return b"" if met is None else padded(vr, met.value)
