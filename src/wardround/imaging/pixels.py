"""From a DICOM object's stored values to grey values in [0, 1].

The order is that of the greyscale pipeline (PS3.4 N.2): stored values, modality LUT, VOI LUT, presentation.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import JPEGExtended12Bit, RLELossless

from wardround.imaging.codestream import check_codestream
from wardround.imaging.header import CLAIM_TAGS, check_claims, read_dataset, text
from wardround.imaging.reasons import Reason, Refusal

GREY_TAGS = (
    *CLAIM_TAGS,
    "PlanarConfiguration",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "ModalityLUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "InstanceNumber",
)
# What lies outside is taken for collimator edges, markers and dead pixels.
PERCENTILES = (0.5, 99.5)
# Far beyond any stored value, and still finite in every formula of PS3.3 C.11.2.
_FAR = np.array([-1e9, 1e9])


@dataclass(frozen=True)
class Grey:
    """Values after the modality LUT, float32 [rows, columns], and which of them are not padding (bool)."""

    values: np.ndarray
    valid: np.ndarray
    header: Dataset

    @property
    def inverted(self) -> bool:
        """Whether small values are to be shown white (MONOCHROME1)."""
        return text(self.header, "PhotometricInterpretation") == "MONOCHROME1"


def read_grey(path: Path, max_bytes: int) -> Grey:
    """Decodes a single-frame greyscale object. Raises Refusal, before decoding where the header tells."""
    dataset = read_dataset(path, GREY_TAGS, max_bytes, pixels=True)
    try:
        _check_pixels(dataset, check_claims(dataset, max_bytes))
        stored = pixel_array(dataset)
        values = apply_modality_lut(stored, dataset).astype(np.float32)
        return Grey(values, _not_padding(stored, dataset), dataset)
    except Refusal:
        raise
    except (NotImplementedError, RuntimeError) as error:
        raise Refusal(_decoder_reason(dataset)) from error
    except MemoryError as error:
        raise Refusal(Reason.TOO_LARGE) from error
    # Decoders raise almost anything on damaged input, and their texts may quote it.
    except Exception as error:
        raise Refusal(Reason.UNDECODABLE) from error


def to_unit(grey: Grey) -> np.ndarray:
    """Grey values as float32 [rows, columns] in [0, 1], 1 is white; padding is 0.

    The window or VOI LUT of the object is used if it leaves any contrast, else the 0.5 and 99.5 percentiles
    of the values that are not padding. Raises Refusal for an image without contrast.
    """
    unit = windowed(grey.values, grey.header)
    if unit is None or not has_contrast(unit, grey.valid):
        unit = stretched(grey.values, grey.valid)
    return finished(unit, grey.valid, inverted=grey.inverted)


def has_contrast(values: np.ndarray, valid: np.ndarray) -> bool:
    """Whether the valid values are not all the same."""
    seen = values[valid]
    return bool(seen.size and seen.min() < seen.max())


def windowed(values: np.ndarray, header: Dataset) -> np.ndarray | None:
    """Values after the object's VOI LUT or window in [0, 1], or None if it has none that can be used."""
    try:
        if header.get("VOILUTSequence"):
            shown = apply_voi_lut(values.astype(np.int32), header, prefer_lut=True)
            return _between(shown, 0, 2 ** int(header.VOILUTSequence[0].LUTDescriptor[2]) - 1)
        if header.get("WindowWidth") and header.get("WindowCenter") is not None:
            low, high = apply_voi_lut(_FAR, header, prefer_lut=False)
            return _between(apply_voi_lut(values, header, prefer_lut=False), low, high)
    # A window of width 0 or a LUT without a descriptor: the percentiles stand in for it.
    except (ValueError, TypeError, AttributeError, KeyError, IndexError):
        return None
    return None


def stretched(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Values between two robust percentiles of the valid ones, as [0, 1]; raises Refusal without contrast."""
    if not has_contrast(values, valid):
        raise Refusal(Reason.BLANK)
    seen = values[valid]
    low, high = np.percentile(seen, PERCENTILES)
    return _between(values, low, high) if low < high else _between(values, seen.min(), seen.max())


def finished(unit: np.ndarray, valid: np.ndarray, *, inverted: bool) -> np.ndarray:
    """Applies the presentation: inverts MONOCHROME1 and blackens padding."""
    return np.where(valid, 1 - unit if inverted else unit, 0).astype(np.float32)


def quantised(unit: np.ndarray, bits: int) -> np.ndarray:
    """[0, 1] in 2^bits equal steps, as uint8 or uint16."""
    steps: np.ndarray = np.rint(unit * (2**bits - 1))
    return steps.astype(np.uint8 if bits == 8 else np.uint16)


def pixel_spacing(header: Dataset) -> tuple[float, float]:
    """Distance of rows and of columns (mm), or (1, 1) where the object has none that makes sense."""
    value = header.get("PixelSpacing") or header.get("ImagerPixelSpacing") or (1, 1)
    down, across = (float(part) for part in value) if len(value) == 2 else (1.0, 1.0)
    return (down, across) if down > 0 and across > 0 and 0.1 < down / across < 10 else (1.0, 1.0)


def _between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    if not low < high:
        raise ValueError("an empty range")
    scaled: np.ndarray = np.clip((values.astype(np.float32) - low) / (high - low), 0, 1)
    return scaled


def _check_pixels(dataset: Dataset, claimed: int) -> None:
    if not dataset.get("PixelData"):
        raise Refusal(Reason.NO_PIXELS)
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_compressed:
        if len(dataset.PixelData) < claimed:
            raise Refusal(Reason.TRUNCATED)
        return
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    check_codestream(frame, int(dataset.Rows), int(dataset.Columns))
    # Each RLE byte may become 64, so a run-length frame must not be larger than what it stands for.
    if syntax == RLELossless and len(frame) > 2 * claimed + 1024:
        raise Refusal(Reason.CODESTREAM)


def _not_padding(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return np.ones(stored.shape, bool)
    limit = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((int(value), int(value if limit is None else limit)))
    outside: np.ndarray = (stored < low) | (stored > high)
    return outside


def _decoder_reason(dataset: Dataset) -> Reason:
    syntax = dataset.file_meta.TransferSyntaxUID
    # The decoders at hand announce this syntax but can only do its 8 bit form.
    if syntax == JPEGExtended12Bit and int(dataset.get("BitsStored") or 0) > 8:
        return Reason.SYNTAX
    try:
        usable = get_decoder(syntax).is_available
    except NotImplementedError:
        usable = False
    return Reason.UNDECODABLE if usable else Reason.SYNTAX
