"""Which action each attribute gets: the table, the options, and what goes for attributes the table does not name.

PS3.15 keeps every attribute that its table does not list. That is too much: names hide in free text, and no
table knows a vendor's latest element. So an unlisted attribute is kept only where its value cannot be free text
(numbers, coded strings of legal form, and the texts listed here that equipment writes); UIDs are mapped and dates
treated like the table's; other text is replaced by a dummy; unknown elements and bytes not listed here are removed.
"""

from enum import StrEnum
from functools import cache

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import tag_for_keyword

from wardround.imaging.deid.options import Options
from wardround.imaging.deid.table import Entry, load_table
from wardround.imaging.deid.words import words


class Action(StrEnum):
    """What is done to an element; the value is what accounts and documents show."""

    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    DUMMY_OR_EMPTY = "Z/D"
    KEEP = "K"
    CLEAN = "C"
    UID = "U"
    DATE = "shift"
    PATIENT = "pseudonym"
    WALK = "walk"
    COLOUR = "colour"


# Without the module tables of PS3.3 an attribute's Type in its IOD is unknown. What the object shows of it: a value
# of zero length is legal for Type 2 and 3 only, so it may stay; for any other value the dummy is legal for every Type.
_CONDITIONAL = {
    "X/Z": Action.EMPTY,
    "X/D": Action.DUMMY_OR_EMPTY,
    "Z/D": Action.DUMMY_OR_EMPTY,
    "X/Z/D": Action.DUMMY_OR_EMPTY,
    "X/Z/U*": Action.WALK,
}
DATES = frozenset({"DA", "DT", "TM"})
NUMBERS = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "AT": 4, "UV": 8, "SV": 8}
NUMBER_STRINGS = frozenset({"DS", "IS"})
# Long rows of numbers: coordinates, indices, measurements.
ARRAYS = {"OF": 4, "OD": 8, "OL": 4, "OV": 8}
TEXTS = frozenset({"LO", "SH", "ST", "LT", "UT", "UC"})

TECHNICAL = words(
    "Manufacturer ManufacturerModelName SoftwareVersions SequenceName PulseSequenceName ImagedNucleus FilterType "
    "ConvolutionKernel ReceiveCoilName TransmitCoilName ContrastBolusRoute RadiopharmaceuticalRoute RescaleType "
    "ModalityLUTType WindowCenterWidthExplanation AcquisitionDeviceProcessingCode DigitalImageFormatAcquired "
    "AttenuationCorrectionMethod ReconstructionMethod ScatterCorrectionMethod DetectorManufacturerName "
    "DetectorManufacturerModelName ProcessingFunction ImageFilter StackID PhosphorType PlateType TypeOfFilters "
    "CardiacFramingType DetectorLinesOfResponseUsed ApplicationName ApplicationVersion CodingSchemeVersion "
    "MIMETypeOfEncapsulatedDocument TransducerData GridAbsorbingMaterial GridSpacingMaterial"
)
_BINARY = words(
    "PixelData FloatPixelData DoubleFloatPixelData RedPaletteColorLookupTableData "
    "GreenPaletteColorLookupTableData BluePaletteColorLookupTableData AlphaPaletteColorLookupTableData "
    "SegmentedRedPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData "
    "SegmentedBluePaletteColorLookupTableData SegmentedAlphaPaletteColorLookupTableData LUTData "
    "BlendingLookupTableData ExtendedOffsetTable ExtendedOffsetTableLengths VectorGridData "
    "PointCoordinatesData SpectroscopyData WaveformData WaveformPaddingValue "
    "DoublePointCoordinatesData FloatingPointValues AnnotationIndexList LongPrimitivePointIndexList "
    "LongTrianglePointIndexList LongEdgePointIndexList LongVertexPointIndexList TrianglePointIndexList "
    "EdgePointIndexList VertexPointIndexList PrimitivePointIndexList TrackPointIndexList VectorCoordinateData "
    "RecommendedDisplayCIELabValueList VolumetricCurvePoints VolumetricCurveUpDirections UValueData VValueData "
    "VerticesOfThePolygonalOutline BlockEdgeData CompensatorProximalThicknessMap CompensatorDistalThicknessMap "
    "TwoDimensionalToThreeDimensionalMapData FilterLookupTableData FirstOrderPhaseCorrectionAngle"
)
# Pixels of an item are an icon or a preview of some kind.
TOP_LEVEL_ONLY = frozenset({0x7FE00010, 0x7FE00008, 0x7FE00009, 0x7FE00001, 0x7FE00002})
# Written anew for every object, or without meaning in the output; among them what hides the original's values.
_REWRITTEN = words(
    "EncryptedAttributesSequence SpecificCharacterSet PatientIdentityRemoved DeidentificationMethod "
    "DeidentificationMethodCodeSequence LongitudinalTemporalInformationModified LengthToEnd DataSetTrailingPadding "
    "PrivateDataElementDefinitionSequence"
)
_PATIENT = frozenset({"PatientID", "PatientName"})

VRS: dict[int, str] = {tag: entry[0] for tag, entry in DicomDictionary.items()}


@cache
def actions(options: Options) -> dict[int, Action]:
    """The action of every attribute in the dictionary or the table, by tag; any other tag is removed."""
    entries = load_table().entries
    found = {tag: _unlisted(tag, options) for tag in VRS}
    found.update((tag, _listed(entry, options)) for tag, entry in entries.items())
    found.update((_tag(keyword), Action.REMOVE) for keyword in _REWRITTEN)
    found.update((_tag(keyword), Action.PATIENT) for keyword in _PATIENT)
    return {tag: action for tag, action in found.items() if action is not Action.REMOVE}


def _listed(entry: Entry, options: Options) -> Action:
    vr = entry.vr or VRS.get(entry.tag, "")
    taken = {entry.options[name] for name in options.chosen if name in entry.options}
    if vr in DATES:
        # A date is never kept as it is, whatever option would keep its attribute.
        return (
            _dated(vr, options)
            if "longitudinal" in entry.options and options.dates == "shift"
            else _basic(entry)
        )
    if "K" in taken:
        return Action.UID if vr == "UI" and not options.uids else _kept(vr)
    if "C" in taken:
        return Action.WALK if vr == "SQ" else Action.CLEAN if vr in TEXTS else _basic(entry)
    return _basic(entry)


def _basic(entry: Entry) -> Action:
    return _CONDITIONAL.get(entry.basic) or Action(entry.basic)


def _kept(vr: str) -> Action:
    return Action.WALK if vr == "SQ" else Action.KEEP


def _dated(vr: str, options: Options) -> Action:
    if vr == "TM":
        return Action.KEEP if options.times == "keep" else Action.DUMMY_OR_EMPTY
    return Action.DATE


def _unlisted(tag: int, options: Options) -> Action:
    vr, keyword = VRS[tag], DicomDictionary[tag][4]
    if tag >> 16 < 8 or tag & 0xFFFF == 0:
        # Commands, file meta and directories are not part of an object; group lengths are retired.
        return Action.REMOVE
    if vr == "SQ":
        return Action.WALK
    if keyword == "ICCProfile":
        return Action.COLOUR
    if vr == "UI":
        return Action.KEEP if options.uids else Action.UID
    if vr in DATES:
        return _dated(vr, options) if options.dates == "shift" else Action.DUMMY_OR_EMPTY
    if (
        keyword in _BINARY
        or vr in NUMBERS
        or vr in NUMBER_STRINGS
        or vr in ("CS", "US or SS", "US or SS or OW")
    ):
        return Action.KEEP
    if vr in TEXTS or vr in ("PN", "AE", "AS", "UR"):
        return Action.KEEP if keyword in TECHNICAL and options.keep_technical_text else Action.DUMMY_OR_EMPTY
    return Action.REMOVE


def _tag(keyword: str) -> int:
    return int(tag_for_keyword(keyword) or 0)
