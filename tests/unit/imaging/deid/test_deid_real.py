"""Real headers: no planted identifier is left, and the pixels and the conformance of the originals are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from deid_cases import SHARED, read, rules, written
from pydicom.dataset import Dataset

from wardround.imaging.deid.files import MAX_BYTES, deidentify_object
from wardround.imaging.deid.rules import Rules
from wardround.imaging.deid.words import words
from wardround.imaging.reading.header import quiet, read_object
from wardround.imaging.reasons import Reason, Refusal

PSEUDO = SHARED / "deid_pseudophi"
DICOGNITO = SHARED / "deid_dicognito"
TORTURE = SHARED / "dicom_torture" / "files"
EVERYTHING = {
    "dates": "shift",
    "patient_characteristics": True,
    "device": True,
    "descriptors": True,
    "structured_content": True,
    "safe_private": True,
}
# Attributes of patient, study, series and image modules that Type 1 and Type 2 of PS3.3 ask for in every image.
TYPE_1 = words(
    "SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID Modality Rows Columns BitsAllocated"
)
TYPE_2 = words(
    "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime AccessionNumber StudyID"
)


def done(path: Path, chosen: Rules) -> Dataset:
    """The output for a file, written and read again."""
    with quiet():
        return read(written(deidentify_object(read_object(path, MAX_BYTES), chosen)[0], _syntax(path)))


def _syntax(path: Path) -> str:
    syntax = pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
    return str(syntax) if syntax.is_compressed and not syntax.is_deflated else "1.2.840.10008.1.2.1"


def identifiers(dataset: Dataset) -> Iterator[str]:
    """Names, identifiers and addresses of a header, as a person would look for them."""
    for element in dataset.iterall():
        if element.VR == "PN":
            yield from (part for part in re.split(r"[\^=, ]", str(element.value)) if len(part) > 3)
        elif re.search(
            r"(Patient|Accession|Institution|Physician).*(ID|Number|Address|Name)", element.keyword
        ):
            if element.VR in ("LO", "SH", "ST") and len(str(element.value)) > 3:
                yield str(element.value)
        elif element.keyword == "PatientBirthDate" and element.value:
            yield str(element.value)


def header_bytes(dataset: Dataset) -> bytes:
    """The file's bytes without pixels, in lower case."""
    bare = Dataset(dict(dataset._dict))
    bare.file_meta = dataset.file_meta
    for tag in [tag for tag in list(bare._dict) if tag.group == 0x7FE0]:
        del bare[tag]
    return written(bare).lower()


@pytest.mark.skipif(not PSEUDO.is_dir(), reason="the collection with planted identifiers is not here")
@pytest.mark.parametrize("options", [{}, EVERYTHING], ids=["basic", "all-options"])
def test_no_planted_identifier_is_left_in_a_header(options: dict[str, object]) -> None:
    searched = 0
    for path in sorted(PSEUDO.glob("*.dcm"))[::5]:
        original = pydicom.dcmread(path)
        planted = {
            part["value"]["text"] for part in json.loads(path.with_suffix(".json").read_text())["annotation"]
        }
        wanted = {text for text in planted if len(text) > 3} | set(identifiers(original))
        content = header_bytes(done(path, rules(**options)))
        left = [text for text in wanted if text.lower().encode() in content]
        searched += len(wanted)
        assert left == []
    assert searched > 100


@pytest.mark.skipif(not DICOGNITO.is_dir(), reason="the collection of difficult cases is not here")
def test_no_identifier_is_left_in_difficult_cases() -> None:
    count = 0
    for path in sorted(DICOGNITO.rglob("*.dcm")):
        try:
            found = done(path, rules())
        except Refusal as refusal:
            assert refusal.reason in (Reason.NO_IDENTITY, Reason.NOT_DICOM)
            continue
        content = header_bytes(found)
        original = pydicom.dcmread(path)
        assert [text for text in identifiers(original) if text.lower().encode() in content] == []
        assert found.PixelData == original.PixelData if "PixelData" in original else True
        count += 1
    assert count > 20


@pytest.mark.skipif(not TORTURE.is_dir(), reason="the collection of difficult files is not here")
def test_pixels_of_difficult_files_are_what_they_were() -> None:
    same = 0
    for path in sorted(TORTURE.glob("*.dcm")):
        try:
            with quiet():
                before = pydicom.dcmread(path).pixel_array
        except Exception:
            continue
        with quiet():
            after = done(path, rules()).pixel_array
        assert np.array_equal(before, after), path.name
        same += 1
    assert same > 40


@pytest.mark.skipif(not PSEUDO.is_dir(), reason="the collection with planted identifiers is not here")
def test_outputs_are_valid_in_every_value_and_complete() -> None:
    for path in sorted(PSEUDO.glob("*.dcm"))[::9]:
        original, found = pydicom.dcmread(path), done(path, rules())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pydicom.config.settings, "reading_validation_mode", pydicom.config.RAISE)
            again = read(written(found))
            for element in again.iterall():
                assert element.VR != "UN" or element.tag.is_private
        assert all(again[keyword].value not in ("", None) for keyword in TYPE_1)
        assert all(keyword in again for keyword in TYPE_2 if keyword in original)
