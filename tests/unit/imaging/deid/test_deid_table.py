"""The table of actions is what its source says, and agrees with the standard's own table attribute by attribute."""

import json
import re
from pathlib import Path

import pytest
from deid_cases import SHARED, table_rows
from pydicom.sr._concepts_dict import concepts

from wardround.imaging.deid import build, private
from wardround.imaging.deid.options import CODES, PROFILE, Options
from wardround.imaging.deid.page import BEGIN, END, PAGE, replaced
from wardround.imaging.deid.policy import NUMBER_STRINGS, NUMBERS, Action, actions
from wardround.imaging.deid.private import safe_private
from wardround.imaging.deid.table import FILE, load_table

PUBLISHED = SHARED / "deid_keys" / "confidentiality_profile_attributes.json"
COLUMNS = {
    "rtnLongModifDatesOpt": "longitudinal",
    "rtnUIDsOpt": "uids",
    "rtnDevIdOpt": "device",
    "rtnPatCharsOpt": "patient_characteristics",
    "rtnInstIdOpt": "institution",
    "cleanStructContOpt": "structured_content",
    "cleanDescOpt": "descriptors",
}
# Bytes and a coded string can't be cleaned; here they get the Basic Profile's action, which is stricter.
STRICTER = {
    ("CertifiedTimestamp", "longitudinal"),
    ("FrameOriginTimestamp", "longitudinal"),
    ("DeviceSettingDescription", "descriptors"),
    ("MakerNote", "descriptors"),
    ("ReasonForTheAttributeModification", "descriptors"),
}


def test_the_table_is_what_its_source_gives() -> None:
    assert FILE.read_text("utf-8") == build.rendered()


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the standard's table in its published form is not here")
def test_the_table_agrees_with_the_standards_attribute_by_attribute() -> None:
    ours = {str(row["tag"]): row for row in table_rows()}
    differences = set()
    for theirs in json.loads(PUBLISHED.read_text("utf-8")):
        if theirs["id"].startswith("ggggeeee"):
            continue
        row = ours[theirs["id"]]
        assert row["basic"] == theirs["basicProfile"]
        options = dict(row["options"])  # type: ignore[call-overload]
        differences |= {
            (row["keyword"], option)
            for column, option in COLUMNS.items()
            if theirs.get(column) != options.get(option)
        }
    assert differences == STRICTER


def test_by_default_nothing_that_the_table_lists_is_kept() -> None:
    chosen = actions(Options())
    kept = {
        tag for tag in load_table().entries if chosen.get(tag) in (Action.KEEP, Action.CLEAN, Action.DATE)
    }
    assert kept == set()
    walked = {
        load_table().entries[tag].keyword for tag in load_table().entries if chosen.get(tag) is Action.WALK
    }
    assert walked == {"ReferencedImageSequence", "SourceImageSequence"}


def test_no_option_keeps_a_date() -> None:
    everything = {name: True for name in CODES if name != "longitudinal"}
    chosen = actions(Options.model_validate(everything))
    dates = [tag for tag, entry in load_table().entries.items() if entry.vr in ("DA", "DT", "TM")]
    assert all(chosen.get(tag) not in (Action.KEEP, Action.CLEAN) for tag in dates)


def test_the_codes_of_the_options_are_the_standards() -> None:
    known = {code: found for codes in concepts["DCM"].values() for code, found in codes.items()}
    for code, meaning in (PROFILE, *CODES.values()):
        assert known[code][0].lower() == meaning.lower() and 7050 in known[code][1]


def test_safe_private_elements_are_numbers_and_codes() -> None:
    assert len(safe_private()) > 50
    assert safe_private()["SIEMENS MR HEADER", 0x0019, 0x0C] == "IS"
    assert {group % 2 for _, group, _ in safe_private()} == {1}


def test_no_safe_private_element_is_a_text_or_is_named_like_an_identifier() -> None:
    for (creator, group, element), vr in safe_private().items():
        assert vr in {*NUMBERS, *NUMBER_STRINGS, "CS"}
        assert not re.search(
            r"(?i)name|\bID\b|UID|date|serial|operator|institution", private.meaning(creator, group, element)
        )


def test_the_page_shows_the_table_that_the_code_has() -> None:
    page = (Path(__file__).parents[4] / PAGE).read_text("utf-8")
    assert replaced(page) == page and page.count(BEGIN) == page.count(END) == 1
