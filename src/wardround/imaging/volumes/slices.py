"""What the header of a slice says about where it lies and what it is a picture of; no identifier is kept."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from wardround.imaging.reading.header import text
from wardround.imaging.splits import keyed

Kind = Literal["plain", "derived", "part", "localizer", "mosaic"]

SLICE_TAGS = (
    "SOPClassUID",
    "Modality",
    "Rows",
    "Columns",
    "PhotometricInterpretation",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "InstanceNumber",
    "ImageType",
    "ComplexImageComponent",
    "RescaleType",
    "ModalityLUTSequence",
    "EchoTime",
    "DiffusionBValue",
    "TemporalPositionIdentifier",
    "AcquisitionNumber",
    "TriggerTime",
    "ConvolutionKernel",
    "StackID",
    # Vendors' b-values and image parts, each with the element that says who owns the block.
    *("00190010", "0019100C"),
    *("00430010", "0043102F", "00431039"),
    *("20010010", "20011003"),
    *("00650010", "00651009"),
)
_FAMILY_TAGS = ("SOPClassUID", "ImageType", "ConvolutionKernel", "StackID", "PhotometricInterpretation")
# Creator and element of the b-value: Siemens, Philips, United Imaging.
_B_VALUES = (
    ("00190010", "SIEMENS MR HEADER", "0019100C"),
    ("20010010", "Philips Imaging DD 001", "20011003"),
    ("00650010", "Image Private Header", "00651009"),
)
_GE = ("00430010", "GEMS_PARM_01")
_LOCALIZERS = frozenset({"LOCALIZER", "SCOUT", "SCOUTVIEW", "TOPOGRAM", "SURVIEW"})
_PARTS = frozenset({"P", "PHASE", "PHASE MAP", "R", "REAL", "I", "IMAGINARY", "VELOCITY", "VELOCITY MAP"})
_DERIVED = frozenset({"DERIVED", "MPR", "MIP", "MINIP", "MIN IP", "PROJECTION IMAGE", "ADC", "FA", "TRACEW"})


class Slice(BaseModel):
    """One slice: a single-frame object, or a frame (from 0) of an enhanced one. None is what a header lacks.

    shape: (rows, columns); spacing: distance of rows and of columns (mm); orientation [6], position [3]: as in
    the header (mm). kind: `part` is a phase, real or imaginary image. family: a keyed hash of what has to be
    the same throughout a volume and says no more (image type, kernel, stack). echo and trigger in ms,
    b_value in s/mm².
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shape: tuple[int, int]
    spacing: tuple[float, float] | None = None
    orientation: tuple[float, ...] | None = None
    position: tuple[float, ...] | None = None
    number: int | None = None
    frame: int | None = None
    kind: Kind = "plain"
    family: str = ""
    hounsfield: bool = False
    echo: float | None = None
    b_value: float | None = None
    time: float | None = None
    acquisition: float | None = None
    trigger: float | None = None


def slice_of(header: Dataset, key: bytes, frame: int | None = None) -> Slice:
    """Reads a slice from its header, or a frame from the plain header that `frames` makes. Raises ValueError."""
    number = _number(header.get("InstanceNumber"))
    return Slice(
        shape=(int(header.Rows), int(header.Columns)),
        spacing=_spacing(header),
        orientation=_orientation(header),
        position=_numbers(header.get("ImagePositionPatient"), 3),
        number=None if number is None else int(number),
        frame=frame,
        kind=_kind(header),
        family=keyed(key, "family", "\n".join(text(header, word) for word in _FAMILY_TAGS))[:12],
        hounsfield=_is_hounsfield(header),
        echo=_number(header.get("EchoTime")),
        b_value=_b_value(header),
        time=_number(header.get("TemporalPositionIdentifier")),
        acquisition=_number(header.get("AcquisitionNumber")),
        trigger=_number(header.get("TriggerTime")),
    )


def _kind(header: Dataset) -> Kind:
    value = header.get("ImageType") or ()
    words = {str(word).strip().upper() for word in ([value] if isinstance(value, str) else value)}
    if "MOSAIC" in words:
        return "mosaic"
    if words & _LOCALIZERS:
        return "localizer"
    # In CT and PET the letters mean other things.
    if text(header, "Modality") == "MR" and (words & _PARTS or _is_complex_part(header)):
        return "part"
    return "derived" if words & _DERIVED else "plain"


def _is_complex_part(header: Dataset) -> bool:
    if text(header, "ComplexImageComponent") in ("PHASE", "REAL", "IMAGINARY", "MIXED"):
        return True
    # GE counts magnitude, phase, real, imaginary from 0.
    part = _number(_private(header, *_GE, "0043102F"))
    return part is not None and part > 0


def _is_hounsfield(header: Dataset) -> bool:
    # PS3.3 C.8.2.1: the rescaled values of a CT image are Hounsfield units unless Rescale Type says otherwise.
    return (
        text(header, "Modality") == "CT"
        and text(header, "RescaleType") in ("HU", "")
        and text(header, "PhotometricInterpretation").startswith("MONOCHROME")
        and not header.get("ModalityLUTSequence")
        and _kind(header) != "localizer"
    )


def _b_value(header: Dataset) -> float | None:
    value = _number(header.get("DiffusionBValue"))
    for creator, name, element in _B_VALUES:
        if value is None:
            value = _number(_private(header, creator, name, element))
    if value is None:
        value = _number(_private(header, *_GE, "00431039"))
        # Some GE software adds 10^9 to mark the value as a b-value.
        value = None if value is None else value % 100_000
    return value


def _private(header: Dataset, creator: str, name: str, element: str) -> object:
    if creator not in header or str(header[creator].value).strip() != name or element not in header:
        return None
    return header[element].value


def _spacing(header: Dataset) -> tuple[float, float] | None:
    # ImagerPixelSpacing is measured at the detector, so it is none for a volume.
    numbers = _numbers(header.get("PixelSpacing"), 2)
    return (numbers[0], numbers[1]) if numbers and min(numbers) > 0 else None


def _orientation(header: Dataset) -> tuple[float, ...] | None:
    numbers = _numbers(header.get("ImageOrientationPatient"), 6)
    if numbers is None:
        return None
    axes = np.reshape(numbers, (2, 3))
    # Two directions of length 1 at a right angle; a header with other numbers says nothing about the slice.
    return numbers if np.allclose(axes @ axes.T, np.eye(2), atol=0.01) else None


def _number(value: object) -> float | None:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace").strip("\0 ")
    if isinstance(value, MultiValue | list | tuple):
        value = value[0] if value else None
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _numbers(value: object, count: int) -> tuple[float, ...] | None:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != count:
        return None
    numbers = tuple(float(part) for part in value)
    return numbers if np.isfinite(numbers).all() else None
