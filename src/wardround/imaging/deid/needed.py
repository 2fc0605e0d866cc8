"""Where PS3.15 says that an attribute goes and PS3.3 that the object is not valid without it.

The table of actions knows no place: it removes a Requested Procedure ID everywhere, though a report's Referenced
Request needs one, which may be empty (Type 2), or a Presentation Creation Date, which must be one (Type 1). What
identifies nobody serves both: an empty value, or a dummy. So it does where the need has a condition (Types 2C and
1C): an object that has the attribute may have it, whether or not it must.
"""

from collections.abc import Mapping
from functools import cache

from pydicom.datadict import tag_for_keyword

from wardround.imaging.deid.policy import Action

# Bytes of the kind that the Selector Attribute VR beside them says; the table has dummies for OB and UN alone.
_SELECTED = "SelectorODValue SelectorOFValue SelectorOLValue SelectorOVValue SelectorOWValue"
# The sequence around ("" is the object itself) and its attributes of Type 2 and 2C, and of Type 1 and 1C.
_TYPE_2 = {
    "": "ResponsiblePerson ResponsibleOrganization",
    "HangingProtocolDefinitionSequence": "ReasonForRequestedProcedureCodeSequence",
    "PatientTreatmentPreparationProcedureSequence": "PatientTreatmentPreparationProcedureParameterDescription",
    "PositionAcquisitionTemplateIdentificationSequence": "PositionAcquisitionTemplateDescription",
    "RTPrescriptionSequence": "PriorTreatmentDoseDescription",
    "RecordedSourceSequence": "SourceManufacturer",
    "ReferencedPatientSetupPhotoSequence": "PatientSetupPhotoDescription",
    "ReferencedRequestSequence": "RequestedProcedureID",
}
_TYPE_1 = {
    "": "PresentationCreationDate PresentationCreationTime",
    "AssessedAttributeValueSequence": _SELECTED,
    "ConstraintValueSequence": _SELECTED,
    "PlanningInputInformationSequence": "ReferencedStudySequence",
    "PositionAcquisitionTemplateIdentificationSequence": "PositionAcquisitionTemplateName",
    "RTAccessoryHolderSlotSequence": "RTAccessoryHolderSlotID",
    "RTPhysicianIntentInputInstanceSequence": "ReferencedStudySequence",
    "RadiopharmaceuticalInformationSequence": "RadiopharmaceuticalStartDateTime",
    "RecommendedDefaultValueSequence": _SELECTED,
    "ReferencedPositionReferenceInstanceSequence": "ReferencedStudySequence",
    "RequestAttributesSequence": "RequestedProcedureID ScheduledProcedureStepID",
    "SourceSeriesInformationSequence": "SeriesDescription",
}
_GIVES_WAY = (None, Action.EMPTY, Action.CLEAN)


def valid_action(inside: int, tag: int, action: Action | None) -> Action | None:
    """The action for an attribute in a sequence (0: the object itself) that leaves it there if it is needed.

    None stands for removal.
    """
    needed = _needed().get((inside, tag))
    return needed if needed is not None and action in _GIVES_WAY else action


def _tag(keyword: str) -> int:
    return int(tag_for_keyword(keyword) or 0)


@cache
def _needed() -> Mapping[tuple[int, int], Action]:
    found = {}
    for places, action in ((_TYPE_2, Action.EMPTY), (_TYPE_1, Action.DUMMY)):
        for place, keywords in places.items():
            for keyword in keywords.split():
                # The dictionary has elements without a keyword.
                found[_tag(place) if place else 0, _tag(keyword)] = action
    return found
