"""Names hide where no table looks: in technical texts, coded strings, codes' meanings and strange encodings."""

import pytest
from deid_cases import ct, nested, read, rules, written
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from wardround.imaging.deid.deidentify import deidentify
from wardround.imaging.reasons import Reason, Refusal


def output(dataset: Dataset, **options: object) -> Dataset:
    return read(written(deidentify(read(written(dataset)), rules(**options))[0]))


@pytest.mark.parametrize("text", ["T1 VEXLUND", "orrin_fast", "scan ada", "for hk4711-12", "VexlundOrrin2"])
def test_a_technical_text_with_a_persons_trace_goes(text: str) -> None:
    item = Dataset()
    item.SequenceName = text
    found = output(ct(SequenceName=text, ReferencedImageSequence=Sequence([item])))
    assert found.SequenceName == found.ReferencedImageSequence[0].SequenceName == "REMOVED"
    assert output(ct(SequenceName="*tfl3d1_16ns")).SequenceName == "*tfl3d1_16ns"


def test_a_name_that_only_stands_in_what_is_removed_is_looked_for_too() -> None:
    person = Dataset()
    person.PersonName = "Quillfeather^Bo"
    dataset = ct(Manufacturer="for QUILLFEATHER")
    dataset.update(nested(person, "RequestAttributesSequence", "OriginalAttributesSequence"))
    assert output(dataset).Manufacturer == "REMOVED"


def test_a_coded_string_loses_the_component_that_names_someone() -> None:
    found = output(ct(ImageType=["ORIGINAL", "PRIMARY", "VEXLUND", "AXIAL"], BodyPartExamined="ORRIN"))
    assert list(found.ImageType) == ["ORIGINAL", "PRIMARY", "REMOVED", "AXIAL"]
    assert found.BodyPartExamined == "REMOVED"


def test_a_coded_string_of_illegal_form_goes() -> None:
    content = written(ct(BodyPartExamined="CHEST-FORM")).replace(b"CHEST-FORM", b"Mr. Miller")
    assert deidentify(read(content), rules())[0].BodyPartExamined == "REMOVED"


def test_a_number_that_is_an_identifier_goes() -> None:
    found = output(ct(PatientID="44556677", SeriesNumber="44556677", InstanceNumber="3"))
    assert "SeriesNumber" not in found and found.InstanceNumber == 3


def test_a_number_that_is_text_goes() -> None:
    found = deidentify(read(written(ct(SliceThickness="12.5")).replace(b"12.5", b"Axel")), rules())[0]
    assert "SliceThickness" not in found


def test_pixels_stay_readable_when_a_patient_is_called_like_a_modality() -> None:
    found = output(ct(PatientName="MONOCHROME2^CT"))
    assert found.PhotometricInterpretation == "MONOCHROME2" and found.Modality == "CT"


def test_a_known_code_gets_the_dictionarys_meaning_and_an_unknown_one_goes() -> None:
    known, local = Dataset(), Dataset()
    known.CodeValue, known.CodingSchemeDesignator, known.CodeMeaning = "51185008", "SCT", "Chest of Vexlund"
    local.CodeValue, local.CodingSchemeDesignator, local.CodeMeaning = "VEX1", "99HOSP", "Vexlund protocol"
    found = output(ct(AnatomicRegionSequence=Sequence([known, local]))).AnatomicRegionSequence
    assert found[0].CodeValue == "51185008" and found[0].CodeMeaning.startswith("Thorac")
    assert {found[1].CodeValue, found[1].CodingSchemeDesignator, found[1].CodeMeaning} == {"REMOVED"}


def test_cleaned_descriptions_keep_terms_only() -> None:
    found = output(
        ct(StudyDescription="MRI Chest w contrast Vexlund 29.2.1944 Dr Foo", SeriesDescription="Hallo Welt"),
        descriptors=True,
    )
    assert found.StudyDescription == "MRI CHEST W CONTRAST" and "SeriesDescription" not in found
    assert "StudyDescription" not in output(ct(StudyDescription="Chest"))


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 100", "Müßig^Jürgen"),
        ("ISO_IR 144", "Люкceмбypг"),
        ("ISO_IR 192", "Wáng^小東"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
    ],
)
def test_names_in_other_scripts_are_traced_and_gone(charset: object, name: str) -> None:
    dataset = ct(SpecificCharacterSet=charset, PatientName=name, InstitutionName=name.split("=")[-1])
    found = output(dataset, institution=True)
    assert found.PatientName == found.PatientID and found.InstitutionName == "REMOVED"


@pytest.mark.parametrize("text", ["Muessig", "MUSSIG", "T2 JURGEN", "JUERGEN"])
def test_a_name_is_found_as_equipment_without_accents_writes_it(text: str) -> None:
    dataset = ct(SpecificCharacterSet="ISO_IR 100", PatientName="Müßig^Jürgen", SequenceName=text)
    assert output(dataset).SequenceName == "REMOVED"


def test_an_institution_that_is_kept_is_kept_in_unicode() -> None:
    found = output(ct(SpecificCharacterSet="ISO_IR 100", InstitutionName="Hôpital Cérès"), institution=True)
    assert found.InstitutionName == "Hôpital Cérès"


def test_patient_characteristics_stay_if_chosen_and_great_ages_become_ninety() -> None:
    dataset = ct(PatientAge="097Y", PatientWeight="71", PatientSize="1.8")
    found = output(dataset, patient_characteristics=True)
    assert (found.PatientAge, found.PatientSex, found.PatientWeight) == ("090Y", "M", 71)
    found = output(dataset)
    assert "PatientAge" not in found and found.PatientSex == "" and "PatientWeight" not in found


def test_safe_private_elements_stay_if_chosen() -> None:
    dataset = ct()
    block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "1000")
    block.add_new(0x0D, "CS", "DIRECTIONAL")
    block.add_new(0x08, "CS", "UNSAFE")
    dataset.private_block(0x0021, "SIEMENS MR HEADER", create=True).add_new(0x0C, "IS", "12")
    found = output(dataset, safe_private=True)
    kept = {int(element.tag) for element in found if element.tag.is_private and element.tag.group != 0x73}
    assert kept == {0x00190010, 0x0019100C, 0x0019100D}
    assert not [
        element for element in output(dataset) if element.tag.is_private and element.tag.group != 0x73
    ]


def test_a_reports_content_becomes_one_item_or_keeps_its_tree() -> None:
    person, number, root = Dataset(), Dataset(), Dataset()
    person.ValueType, person.PersonName = "PNAME", "Quist^Ada"
    number.ValueType, number.NumericValue = "NUM", "42"
    root.ValueType, root.ContentSequence = "CONTAINER", Sequence([person, number])
    dataset = ct(ContentSequence=Sequence([root]))
    (item,) = output(dataset).ContentSequence
    assert item.TextValue == "REMOVED" and "ContentSequence" not in item
    tree = output(dataset, structured_content=True).ContentSequence[0].ContentSequence
    assert tree[0].PersonName == "REMOVED" and tree[1].NumericValue == 42


def test_a_private_sop_class_and_a_media_directory_are_refused() -> None:
    for uid, reason in (
        ("1.3.46.670589.2", Reason.PRIVATE_CLASS),
        ("1.2.840.10008.1.3.10", Reason.DIRECTORY),
    ):
        with pytest.raises(Refusal) as refused:
            deidentify(ct(SOPClassUID=uid), rules())
        assert refused.value.reason is reason


def test_an_object_nested_too_deep_is_refused() -> None:
    item = Dataset()
    item.PatientName = "Vexlund"
    for top in ("AnatomicRegionSequence", "RequestAttributesSequence"):
        dataset = ct()
        dataset.update(nested(item, top, *["AnatomicRegionSequence"] * 30))
        with pytest.raises(Refusal) as refused:
            deidentify(dataset, rules())
        assert refused.value.reason is Reason.TOO_DEEP


def test_an_empty_value_stays_empty_where_its_type_is_unknown() -> None:
    assert output(ct(InstitutionName="", OperatorsName="")).InstitutionName == ""
    assert output(ct(InstitutionName="St Vexlund")).InstitutionName == "REMOVED"
