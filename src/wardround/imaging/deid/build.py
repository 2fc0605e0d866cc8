"""Makes `table.json`, the table of actions of PS3.15 Annex E: `python -m wardround.imaging.deid.build [--check]`.

The actions of the Basic Profile (table E.1-1) come from the development package `dicom-anonymizer`, edition 2026c.
It lacks the columns of the options; they follow from value representation and keyword by the rules below, which a
test compares with the standard's own columns where these are at hand. Nothing here is needed at run time.
"""

import importlib
import json
import re
import sys
from importlib.metadata import version
from pathlib import Path

from pydicom.datadict import dictionary_has_tag, dictionary_keyword, dictionary_VR

from wardround.imaging.deid.table import FILE
from wardround.imaging.deid.words import words

EDITION = "2026c"
_GROUPS = {
    "D_TAGS": "D",
    "Z_TAGS": "Z",
    "X_TAGS": "X",
    "U_TAGS": "U",
    "Z_D_TAGS": "Z/D",
    "X_Z_TAGS": "X/Z",
    "X_D_TAGS": "X/D",
    "X_Z_D_TAGS": "X/Z/D",
    "X_Z_U_STAR_TAGS": "X/Z/U*",
}

_DATES = {"DA", "TM", "DT"}
_NEVER_DATED = {"PatientBirthDate", "PatientBirthTime", "GPSTimeStamp"}
_TEXT = {"LO", "SH", "ST", "LT", "UT"}
_NEVER_UID = {"DigitalSignatureUID", "UID"}
_UIDS_TOO = words(
    "AffectedSOPInstanceUID AnnotationGroupUID ReferencedImageSequence ReferencedPatientSequence "
    "ReferencedPerformedProcedureStepSequence ReferencedStudySequence SourceImageSequence"
)
_DEVICE = words(
    "BeamHoldTransitionDateTime CalibrationDate CalibrationDateTime CalibrationTime CassetteID DateOfInstallation "
    "DateOfLastCalibration DateOfLastDetectorCalibration DateOfManufacture DateTimeOfLastCalibration DetectorID "
    "DeviceDescription DeviceLabel DeviceSerialNumber DeviceUID GantryID GeneratorID LensMake LensModel "
    "LensSerialNumber LensSpecification ManufacturerDeviceClassUID ManufacturerDeviceIdentifier ModifyingDeviceID "
    "ModifyingSystem PerformedStationGeographicLocationCodeSequence PerformedStationName "
    "PerformedStationNameCodeSequence PlateID ScheduledProcedureStepLocation "
    "ScheduledStationGeographicLocationCodeSequence ScheduledStationName ScheduledStationNameCodeSequence "
    "ScheduledStudyLocation SourceManufacturer SourceSerialNumber StationName TimeOfLastCalibration "
    "TimeOfLastDetectorCalibration TransducerIdentificationSequence TreatmentMachineName UDISequence "
    "UniqueDeviceIdentifier XRayDetectorID XRayDetectorLabel XRaySourceID"
)
_PATIENT = words(
    "EthnicGroup PatientAge PatientSex PatientSexNeutered PatientSize PatientWeight PregnancyStatus "
    "SelectorASValue SmokingStatus"
)
_PATIENT_CLEANED = {"Allergies", "PatientState", "PreMedication", "SpecialNeeds"}
_INSTITUTION = words(
    "ClinicalTrialCoordinatingCenterName ClinicalTrialProtocolEthicsCommitteeName ClinicalTrialSiteID "
    "ClinicalTrialSiteName InstitutionAddress InstitutionCodeSequence InstitutionName "
    "InstitutionalDepartmentName InstitutionalDepartmentTypeCodeSequence SourceOfPreviousValues"
)
_STRUCTURED = {"AcquisitionContextSequence", "ContentSequence", "SpecimenPreparationSequence"}
_DESCRIBES = re.compile(
    r"(Description|Comments|Label|Notes|Text|History|Name|Narrative)$|^(ReasonFor|CommentsOn|TreatmentSites?$)"
)
_DESCRIBES_TOO = words(
    "Allergies ContrastBolusAgent Impressions MedicalAlerts Occupation PatientState RequestedContrastAgent "
    "SelectorLOValue SelectorLTValue SelectorSHValue SelectorSTValue SelectorUTValue "
    "AdmittingDiagnosesCodeSequence PrescriptionNotesSequence ReasonForRequestedProcedureCodeSequence "
    "ReasonForVisitCodeSequence RequestAttributesSequence"
)
# Names and labels of people, places and devices, and what other options are for.
_DESCRIBES_NOT = re.compile(
    r"Institution|Station|ClinicalTrial.*Name$|CameraOwner|TreatmentMachine|^Device|XRayDetector"
    r"|ConfidentialityConstraint|^TextComments|ModifiedImage|ImagePresentation|ChannelLabel|MultiplexGroup"
    r"|ChannelDerivation|AcquisitionContextDescription"
)


def build() -> dict[str, object]:
    """The table as JSON-ready data: edition, source, and one entry an attribute, sorted by tag."""
    found = importlib.import_module(f"dicomanonymizer.dicom_anonymization_databases.dicomfields_{EDITION}")
    entries = [_entry(tag, action) for group, action in _GROUPS.items() for tag in getattr(found, group)]
    return {
        "edition": EDITION,
        "source": f"dicom-anonymizer {version('dicom-anonymizer')}",
        "attributes": sorted(entries, key=lambda entry: str(entry["tag"])),
    }


def rendered() -> str:
    """The content of `table.json`: one attribute a line, so that a new edition is a readable difference."""
    table = build()
    attributes = table.pop("attributes")
    lines = ",\n".join("  " + json.dumps(entry) for entry in attributes)  # type: ignore[attr-defined]
    head = ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in table.items())
    return f'{{{head}, "attributes": [\n{lines}\n]}}\n'


def _entry(tag: tuple[int, ...], action: str) -> dict[str, object]:
    # Four numbers are a repeating group: group, element and a mask for each.
    if len(tag) == 4:
        group, element, _, mask = tag
        last = f"{element:04x}" if mask else "xxxx"
        return {"tag": f"{group >> 8:02x}xx{last}", "keyword": "", "vr": "", "basic": action, "options": {}}
    group, element = tag
    number = group << 16 | element
    known = dictionary_has_tag(number)
    keyword, vr = (dictionary_keyword(number), dictionary_VR(number)) if known else ("", "")
    return {
        "tag": f"{group:04x}{element:04x}",
        "keyword": keyword,
        "vr": vr,
        "basic": action,
        "options": _options(keyword, vr, action),
    }


def _options(keyword: str, vr: str, action: str) -> dict[str, str]:
    found = {}
    if (vr in _DATES and keyword not in _NEVER_DATED) or keyword == "TimezoneOffsetFromUTC":
        found["longitudinal"] = "C"
    if (action == "U" and keyword not in _NEVER_UID) or keyword in _UIDS_TOO:
        found["uids"] = "K"
    if keyword in _DEVICE or vr == "AE":
        found["device"] = "K" if keyword in _DEVICE else "C"
    if keyword in _PATIENT or keyword in _PATIENT_CLEANED:
        found["patient_characteristics"] = "K" if keyword in _PATIENT else "C"
    if keyword in _INSTITUTION:
        found["institution"] = "K"
    if keyword in _STRUCTURED:
        found["structured_content"] = "C"
    if keyword in _DESCRIBES_TOO or _is_descriptor(keyword, vr):
        found["descriptors"] = "C"
    return found


def _is_descriptor(keyword: str, vr: str) -> bool:
    return vr in _TEXT and bool(_DESCRIBES.search(keyword)) and not _DESCRIBES_NOT.search(keyword)


def main() -> int:
    """Writes the table, or with `--check` says whether the file is up to date (exit code 1 if not)."""
    if "--check" in sys.argv[1:]:
        return 0 if FILE.read_text("utf-8") == rendered() else 1
    Path(FILE).write_text(rendered(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
