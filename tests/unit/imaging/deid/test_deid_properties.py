"""What holds for every object: stand-ins agree, intervals stay, a second pass and the input change nothing."""

import io
from datetime import date

import pydicom
import pytest
from deid_cases import KEY, ct, nested, read, rules, written
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    UID_dictionary,
)

from wardround.imaging.deid.deidentify import deidentify
from wardround.imaging.deid.files import deidentify_object
from wardround.imaging.deid.policy import VRS
from wardround.imaging.reasons import Reason, Refusal

OTHER_KEY = b"another key of thirty-two bytes!"
SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)
letters = st.text(st.characters(codec="utf-8", categories=("Lu", "Ll", "Nd")), min_size=5, max_size=12)


def output(dataset: Dataset, **options: object) -> Dataset:
    return deidentify(read(written(dataset)), rules(**options))[0]


def day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def test_one_patient_has_one_pseudonym_in_all_files_and_runs() -> None:
    first, second = output(ct(SOPInstanceUID="1.2.3.10")), output(ct(PatientName="VEXLUND^O"))
    assert first.PatientID == second.PatientID and first.PatientID.startswith("WR")
    assert output(ct(PatientID="HK4711-13")).PatientID != first.PatientID


def test_references_between_objects_still_resolve() -> None:
    image = output(ct())
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = (
        ct().SOPClassUID,
        ct().SOPInstanceUID,
    )
    other = ct(SOPInstanceUID="1.2.3.11", ReferencedImageSequence=Sequence([reference]))
    other.update(
        nested(reference, "SharedFunctionalGroupsSequence", "DerivationImageSequence", "SourceImageSequence")
    )
    found = output(other)
    deep = found.SharedFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    for each in (found.ReferencedImageSequence[0], deep):
        assert each.ReferencedSOPInstanceUID == image.SOPInstanceUID != ct().SOPInstanceUID
        assert each.ReferencedSOPClassUID == ct().SOPClassUID
    assert found.StudyInstanceUID == image.StudyInstanceUID
    assert found.FrameOfReferenceUID == image.FrameOfReferenceUID


def test_another_key_changes_every_stand_in() -> None:
    one = deidentify(ct(), rules(dates="shift"))[0]
    other = deidentify(ct(), rules(OTHER_KEY, dates="shift"))[0]
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "SOPInstanceUID", "StudyDate"):
        assert one[keyword].value != other[keyword].value


def test_without_dates_none_is_left() -> None:
    found = output(ct(AcquisitionDateTime="20200229101112.5+0100", ContentDate="20200229"))
    assert found.StudyDate == "" and found.ContentDate == found.SeriesDate == "19000101"
    assert found.AcquisitionDateTime == "19000101000000"
    assert found.LongitudinalTemporalInformationModified == "REMOVED"


@given(
    days=st.lists(st.dates(date(1940, 1, 1), date(2050, 12, 31)), min_size=3, max_size=3),
    patient=st.text(st.characters(codec="ascii", categories=("Nd", "Lu")), min_size=1, max_size=10),
)
@settings(max_examples=40, deadline=None)
def test_shifted_dates_keep_their_intervals(days: list[date], patient: str) -> None:
    study, series, timed = (f"{each:%Y%m%d}" for each in days)
    item = Dataset()
    item.StudyDate, item.AcquisitionDateTime = study, f"{timed}101112.123456+0100"
    dataset = ct(PatientID=patient, StudyDate=study, SeriesDate=series, ContentTime="101112")
    dataset.update(nested(item, "AnatomicRegionSequence", "ReferencedImageSequence"))
    found = output(dataset, dates="shift")
    moved = day(study) - day(found.StudyDate)
    deep = found.AnatomicRegionSequence[0].ReferencedImageSequence[0]
    assert 1 <= moved.days <= 3650
    assert day(series) - day(found.SeriesDate) == day(study) - day(deep.StudyDate) == moved
    assert day(timed) - day(deep.AcquisitionDateTime) == moved
    assert deep.AcquisitionDateTime[8:] == "101112.123456+0100" and found.ContentTime == "101112"
    assert found.LongitudinalTemporalInformationModified == "MODIFIED" and found.PatientBirthDate == ""


@pytest.mark.parametrize("value", ["2020", "20201", "20200230", "00010101", "um 1944", "20200101-"])
def test_a_date_that_cannot_be_moved_goes(value: str) -> None:
    dataset = ct()
    dataset.add(DataElement(0x00080021, "DA", value, already_converted=True))
    assert deidentify(dataset, rules(dates="shift"))[0].SeriesDate == "19000101"


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("options", [{}, {"dates": "shift", "descriptors": True, "safe_private": True}])
def test_a_second_pass_changes_nothing(syntax: UID, options: dict[str, object]) -> None:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "T-D3000", "SRT", "whatever"
    dataset = ct(AnatomicRegionSequence=Sequence([item]), StudyDescription="CT chest", SeriesDescription="x")
    once, _ = deidentify(read(written(dataset, syntax)), rules(**options))
    stored = written(once)
    twice, account = deidentify(read(stored), rules(**options))
    assert account.unchanged and written(twice) == stored
    in_memory, account = deidentify(once, rules(**options))
    assert account.unchanged and written(in_memory) == stored


def test_a_mark_does_not_outlive_a_change() -> None:
    once = output(ct())
    once.PatientName = "Vexlund^Orrin"
    again, account = deidentify(read(written(once)), rules())
    assert not account.unchanged and again.PatientName == again.PatientID


def test_a_claim_to_be_deidentified_is_not_believed() -> None:
    found, account = deidentify(ct(PatientIdentityRemoved="YES", DeidentificationMethod="Vexlund"), rules())
    assert not account.unchanged and "Vexlund" not in str(found)


def test_an_output_of_other_options_is_refused() -> None:
    once = output(ct(), device=True)
    with pytest.raises(Refusal) as refused:
        deidentify(read(written(once)), rules())
    assert refused.value.reason is Reason.OTHER_RULES


def test_an_output_under_another_key_is_deidentified_again() -> None:
    again, account = deidentify(read(written(output(ct()))), rules(OTHER_KEY))
    assert not account.unchanged and again.PatientID != output(ct()).PatientID


def test_the_object_says_what_was_done_to_it() -> None:
    found = output(ct(), dates="shift", device=True)
    assert found.PatientIdentityRemoved == "YES" and found.DeidentificationMethod.startswith(
        "WARDROUND PS3.15"
    )
    codes = [code.CodeValue for code in found.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113107", "113109"]
    assert found.SpecificCharacterSet == "ISO_IR 192"


def test_uids_are_well_formed_and_the_standards_own_stay() -> None:
    found = output(ct(SOPInstanceUID="not a uid", InstanceCreatorUID="1.2.840.10008.1.1.HK4711"))
    for keyword in ("SOPInstanceUID", "InstanceCreatorUID", "StudyInstanceUID"):
        uid = UID(found[keyword].value)
        assert uid.is_valid and uid.startswith("2.25.") and len(uid) <= 64
    assert found.SOPClassUID in UID_dictionary


def test_the_input_is_not_changed() -> None:
    for dataset in (ct(), read(written(ct()))):
        item = Dataset()
        item.PatientName = "Vexlund"
        dataset.AnatomicRegionSequence = Sequence([item])
        before = written(dataset)
        deidentify(dataset, rules(dates="shift", descriptors=True))
        assert written(dataset) == before


known = sorted(tag for tag in VRS if tag >> 16 > 7 and VRS[tag] in ("LO", "SH", "ST", "LT", "UT", "UC", "PN"))


@st.composite
def datasets(draw: st.DrawFn, depth: int = 0) -> tuple[Dataset, list[str]]:
    """A dataset of random text attributes, private ones and sequences, and every text in it."""
    dataset, texts = Dataset(), []
    for tag in draw(st.lists(st.sampled_from(known), max_size=6, unique=True)):
        text = draw(letters)
        dataset.add_new(tag, VRS[tag], text)
        texts.append(text)
    if draw(st.booleans()):
        text = draw(letters)
        dataset.private_block(0x0011, "SOMEONE", create=True).add_new(1, "LO", text)
        texts.append(text)
    if depth < 3 and draw(st.booleans()):
        item, inner = draw(datasets(depth=depth + 1))
        sequences = ("AnatomicRegionSequence", "ReferencedImageSequence", "RequestAttributesSequence")
        setattr(dataset, draw(st.sampled_from(sequences)), Sequence([item]))
        texts += inner
    return dataset, texts


@given(made=datasets(), syntax=st.sampled_from(SYNTAXES), charset=st.sampled_from(["ISO_IR 192", "GB18030"]))
@settings(max_examples=60, deadline=None)
def test_no_text_of_any_dataset_survives_and_the_output_parses(
    made: tuple[Dataset, list[str]], syntax: UID, charset: str
) -> None:
    extra, texts = made
    dataset = ct(SpecificCharacterSet=charset)
    for element in extra:
        if element.tag != 0x00100020:
            dataset.add(element)
    # Equipment's own text may stay: it is switched off here.
    found = output(dataset, keep_technical_text=False)
    stored, usual = written(found), written(output(ct(SpecificCharacterSet=charset)))
    for text in texts:
        # A short text may be a part of what every output says: MONO, say, or REMOVED.
        if text.lower().encode() not in usual.lower():
            assert text.encode() not in stored and text.encode("gb18030") not in stored
    again = pydicom.dcmread(io.BytesIO(stored))
    assert len(list(again.iterall())) >= len(again)
    assert again.PatientID == output(ct()).PatientID and KEY not in stored


@given(content=st.data())
@settings(max_examples=80, deadline=None)
def test_a_damaged_object_is_deidentified_or_refused(content: st.DataObject) -> None:
    raw = bytearray(written(ct(StudyDescription="knee of Vexlund", SoftwareVersions="Vexlund 1")))
    for place in content.draw(st.lists(st.integers(300, len(raw) - 1), max_size=6)):
        raw[place] = content.draw(st.integers(0, 255))
    try:
        dataset = read(bytes(raw))
    except Exception:
        return
    try:
        found, _ = deidentify_object(dataset, rules())
    except Refusal:
        return
    assert written(found)[:132] == b"\0" * 128 + b"DICM"
