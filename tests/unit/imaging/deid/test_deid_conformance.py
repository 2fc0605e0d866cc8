"""An output is as complete as its input: whatever its IOD demands and the input had, the output has."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from deid_cases import SHARED, read, rules, written
from iod_conformance import Attribute, faults, lost, modules_of, sop_classes
from PIL import Image, ImageCms
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from wardround.imaging.deid.files import MAX_BYTES, deidentify_object
from wardround.imaging.deid.icc import without_texts
from wardround.imaging.deid.rules import Rules
from wardround.imaging.reading.header import quiet, read_object
from wardround.imaging.reasons import Refusal

OWN = Path(pydicom.__file__).parent / "data" / "test_files"
EVERYTHING = {
    "dates": "shift",
    "patient_characteristics": True,
    "device": True,
    "institution": True,
    "descriptors": True,
    "structured_content": True,
    "safe_private": True,
}
CHOICES = {"basic": {}, "all-options": EVERYTHING}
# PS3.15 removes it wherever it stands, and no other value of it would be true.
UNAVOIDABLE = {"timezone: TimezoneOffsetFromUTC (1) is absent"}
# A value of each VR that stays as it is, or as long.
VALUES = {
    **dict.fromkeys(("LO", "SH", "ST", "LT", "UT", "UC", "PN", "AE"), "Vexlund"),
    **dict.fromkeys(("US", "SS", "UL", "SL", "UV", "SV", "IS", "DS"), 1),
    **dict.fromkeys(("FL", "FD"), 1.0),
    **dict.fromkeys(("OB", "OW", "OF", "OD", "OL", "OV", "UN"), bytes(8)),
    **{"DA": "20200229", "TM": "101112", "DT": "20200229101112", "AS": "044Y", "CS": "CODE"},
    **{"UI": "1.2.3.77", "AT": 0x00080060, "UR": "http://vexlund.example/"},
}


def complete(sop_class: str) -> Dataset:
    """An object of a SOP class with every attribute of its mandatory modules that is of Type 1, 1C, 2 or 2C."""
    dataset = Dataset()
    for module in modules_of(sop_class):
        for part in module.attributes if module.mandatory else ():
            _fill(dataset, part, part.path)
    dataset.SOPClassUID = sop_class
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _fill(dataset: Dataset, part: Attribute, path: tuple[str, ...]) -> None:
    if path:
        if not dataset.get(path[0]):
            setattr(dataset, path[0], Sequence([Dataset()]))
        return _fill(dataset[path[0]].value[0], part, path[1:])
    tag = tag_for_keyword(part.keyword)
    if tag is None or part.keyword in dataset:
        return None
    vr = dictionary_VR(tag).split(" or ")[0]
    dataset.add_new(tag, vr, Sequence([Dataset()]) if vr == "SQ" else VALUES[vr])
    return None


def outcome(dataset: Dataset, chosen: Rules) -> Dataset:
    """The output, written and read again."""
    with quiet():
        found, _ = deidentify_object(dataset, chosen)
        return read(written(found, str(found.file_meta.TransferSyntaxUID)))


@pytest.mark.parametrize("sop_class", sop_classes())
def test_a_complete_object_of_any_class_stays_complete(sop_class: str) -> None:
    dataset = complete(sop_class)
    before = faults(dataset)
    for options in CHOICES.values():
        found, _ = deidentify_object(dataset, rules(**options))
        assert faults(found) - before <= UNAVOIDABLE
        assert lost(dataset, found) == set()


def objects() -> Iterator[Path]:
    """Real objects: pydicom's own, and those of the shared collections where they are."""
    for folder in (
        OWN,
        SHARED / "dicom_torture" / "files",
        SHARED / "deid_dicognito",
        SHARED / "deid_pseudophi",
    ):
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".json")


@pytest.mark.parametrize("options", CHOICES.values(), ids=CHOICES)
def test_real_objects_lack_nothing_that_they_had(options: dict[str, object]) -> None:
    classes, chosen = set(), rules(**options)
    for path in objects():
        try:
            with quiet():
                dataset = read_object(path, MAX_BYTES)
                found = outcome(dataset, chosen)
        except Refusal:
            continue
        original = pydicom.dcmread(path)
        assert faults(found) - faults(original) == set() and lost(original, found) == set(), path.name
        classes.add(str(found.SOPClassUID))
    assert len(classes) >= 8


def test_the_check_sees_what_is_missing() -> None:
    dataset = complete("1.2.840.10008.5.1.4.1.1.2")
    assert faults(dataset) == set()
    dataset.Modality = ""
    del dataset.PatientName, dataset.PixelRepresentation
    told = {fault.split(": ")[1] for fault in faults(dataset)}
    assert {"Modality (1) is empty", "PatientName (2) is absent"} <= told


def test_the_check_sees_what_a_condition_may_have_asked_for() -> None:
    dataset, less = (complete("1.2.840.10008.5.1.4.1.1.2") for _ in range(2))
    assert lost(dataset, less) == set()
    del less.PatientSpeciesDescription
    less.DerivationCodeSequence = None
    less.ResponsiblePerson = ""
    assert lost(dataset, less) == {"PatientSpeciesDescription"}


def test_an_animal_has_an_owner_without_a_name() -> None:
    dataset = complete("1.2.840.10008.5.1.4.1.1.2")
    dataset.ResponsiblePerson, dataset.ResponsibleOrganization = "Vexlund^Orrin", "Quistfarm"
    found, _ = deidentify_object(dataset, rules())
    assert found.ResponsiblePerson == found.ResponsibleOrganization == ""


def test_a_colour_profile_keeps_its_colours_and_loses_its_texts() -> None:
    profile = (OWN / "crayons.icc").read_bytes()
    rebuilt = without_texts(profile)
    assert b"Crayon" in profile.replace(b"\0", b"") and b"Crayon" not in rebuilt.replace(b"\0", b"")
    assert without_texts(rebuilt) == rebuilt
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    assert np.array_equal(shown(picture, profile), shown(picture, rebuilt))


@pytest.mark.parametrize("damaged", [b"", b"Vexlund" * 50, bytes(36) + b"acsp" + bytes(200)])
def test_what_is_no_colour_profile_becomes_a_standard_one(damaged: bytes) -> None:
    rebuilt = without_texts(damaged)
    assert ImageCms.ImageCmsProfile(BytesIO(rebuilt)).profile.xcolor_space == "RGB "
    assert b"Vexlund" not in rebuilt


def shown(picture: Image.Image, profile: bytes) -> np.ndarray:
    """The picture's colours, which mean what the profile says, as sRGB."""
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    return np.asarray(
        ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    )
