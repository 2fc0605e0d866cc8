"""What an object's header says about burned-in text. It can raise suspicion and never takes it away.

`BurnedInAnnotation = NO` is often wrong, so it is not looked at; `YES` is believed (PS3.3 C.7.6.1.1).
"""

import re
from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from wardround.imaging.burned_in.verdict import Suspicion
from wardround.imaging.reading.header import text

_OVERLAY_GROUPS = range(0x6000, 0x6020, 2)
_OVERLAY_BITS = tuple((group, 0x0100) for group in _OVERLAY_GROUPS)

# What `examine` reads, for the caller who opens the file. Tags without a keyword are (group, element) pairs.
HEADER_TAGS: tuple[str, ...] = (
    "SOPClassUID",
    "Modality",
    "ImageType",
    "ConversionType",
    "BurnedInAnnotation",
    "RecognizableVisualFeatures",
    "Manufacturer",
    "ManufacturerModelName",
    "Rows",
    "Columns",
    "PhotometricInterpretation",
    "SequenceOfUltrasoundRegions",
    "ShutterShape",
    "ShutterLeftVerticalEdge",
    "ShutterRightVerticalEdge",
    "ShutterUpperHorizontalEdge",
    "ShutterLowerHorizontalEdge",
    "CollimatorShape",
    "CollimatorLeftVerticalEdge",
    "CollimatorRightVerticalEdge",
    "CollimatorUpperHorizontalEdge",
    "CollimatorLowerHorizontalEdge",
)
OVERLAY_TAGS: tuple[tuple[int, int], ...] = _OVERLAY_BITS

# Secondary capture in all its forms (PS3.4 B.5: 7, 7.1 to 7.4), and what encapsulates a document.
_SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
_DOCUMENTS = "1.2.840.10008.5.1.4.1.1.104."
# Modalities whose images come from a detector, not from a screen (PS3.3 C.7.3.1.1.1); all go to the detector.
_ORIGINAL = frozenset(
    (
        "CR",
        "DX",
        "MG",
        "CT",
        "MR",
        "PT",
        "NM",
        "XA",
        "RF",
        "IO",
        "PX",
        "BMD",
        "IVOCT",
        "OCT",
        "OPT",
        "BI",
        "SM",
        "SEG",
        "RTIMAGE",
        "RTDOSE",
        "HC",
        "MA",
    )
)
_ULTRASOUND = frozenset(("US", "IVUS", "BDUS", "ECHOCARDIOGRAPHY"))
_LIGHT = frozenset(("XC", "ES", "GM", "DMS", "OP", "LS", "AS", "CP", "CS", "DD", "DG", "TG"))
_PAPER = frozenset(("DOC", "SR", "KO", "PR", "REG", "PLAN"))
# Words in ImageType (third and later values are the vendors') that mean a page or a screen, not an acquisition.
_SCREENS = frozenset(
    (
        *("SCREEN", "SCREENSAVE", "SCREENSHOT", "CAPTURE", "SNAPSHOT", "REPORT", "INFO", "PROT", "PROTOCOL"),
        *("TABLE", "GRAPH", "PRINT", "SUMMARY"),
    )
)


def suspicions(header: Dataset) -> tuple[Suspicion, ...]:
    """The reasons that a header gives to keep an object waiting, in a fixed order; empty for an original image."""
    found = set(_suspicions(header))
    return tuple(reason for reason in Suspicion if reason in found)


def _image_type_words(header: Dataset) -> set[str]:
    value = header.get("ImageType")
    parts = [value] if isinstance(value, str) else value if isinstance(value, Sequence) else []
    return {word for part in parts for word in re.split(r"[\W_]+", str(part).upper())}


def _suspicions(header: Dataset) -> Iterator[Suspicion]:
    if text(header, "BurnedInAnnotation").upper() == "YES":
        yield Suspicion.ANNOTATED
    if text(header, "RecognizableVisualFeatures").upper() == "YES":
        yield Suspicion.FEATURES
    kind = text(header, "SOPClassUID")
    if kind == _SECONDARY or kind.startswith(f"{_SECONDARY}."):
        yield Suspicion.SECONDARY
    if kind.startswith(_DOCUMENTS):
        yield Suspicion.DOCUMENT
    if _image_type_words(header) & _SCREENS:
        yield Suspicion.SCREEN
    # PS3.3 C.8.6.1: digitised film, video or paper, drawings; film and screens carry the patient's label.
    if text(header, "ConversionType").upper() not in ("", "SYN"):
        yield Suspicion.CONVERTED
    if any(_number(header, tag) > 1 for tag in _OVERLAY_BITS):
        yield Suspicion.OVERLAY
    yield from _by_modality(header)


def _by_modality(header: Dataset) -> Iterator[Suspicion]:
    modality = text(header, "Modality").upper()
    if modality in _LIGHT:
        yield Suspicion.PHOTOGRAPH
    elif modality in _PAPER:
        yield Suspicion.DOCUMENT
    elif modality in _ULTRASOUND:
        # Regions that leave room for text beside them, or a device, may answer that.
        yield Suspicion.ULTRASOUND
    elif modality not in _ORIGINAL:
        yield Suspicion.KIND


def _number(header: Dataset, tag: tuple[int, int]) -> int:
    # PS3.3 C.9.2 of 2004 and before: more than one bit allocated means that the overlay lies in the pixels' words.
    return int(header[tag].value or 0) if tag in header else 0
