"""From grey values to what is shown, in [0, 1].

The order is that of the greyscale pipeline (PS3.4 N.2): stored values, modality LUT, VOI LUT, presentation.
"""

import numpy as np
from pydicom.dataset import Dataset

from wardround.imaging.reading.grey import Grey, Stack, read_grey, read_stack
from wardround.imaging.reading.windows import Linear, linear_window, looked_up, sigmoid
from wardround.imaging.reasons import Reason, Refusal

__all__ = [
    "Grey",
    "Stack",
    "finished",
    "has_contrast",
    "pixel_spacing",
    "quantised",
    "read_grey",
    "read_stack",
    "stretched",
    "to_unit",
    "windowed",
]

# What lies outside is taken for collimator edges, markers and dead pixels.
PERCENTILES = (0.5, 99.5)
# Percentiles of more pixels than these are those of every n-th row and column.
_SAMPLE = 1 << 16


def to_unit(grey: Grey) -> np.ndarray:
    """Grey values as float32 [rows, columns] in [0, 1], 1 is white; padding is 0.

    The window or VOI LUT of the object is used if it leaves any contrast, else the 0.5 and 99.5 percentiles
    of the values that are not padding. What was colour keeps its range. Raises Refusal for an image without
    contrast.
    """
    unit = _windowed_at_once(grey)
    if unit is None:
        unit = windowed(grey.values, grey.header)
    valid = grey.valid if grey.padded else None
    if unit is None or not has_contrast(unit, valid):
        unit = stretched(grey.values, valid)
    return finished(unit, valid, inverted=grey.inverted)


def _windowed_at_once(grey: Grey) -> np.ndarray | None:
    """The values of the commonest images in one pass from the stored ones: linear all the way."""
    if grey.top is not None:
        return Linear(0, grey.top)(grey.stored)
    if "ModalityLUTSequence" in grey.header or "VOILUTSequence" in grey.header:
        return None
    try:
        window = linear_window(grey.header)
        return window(grey.stored, grey.rescale) if window else None
    except (ValueError, TypeError, ArithmeticError):
        return None


def has_contrast(values: np.ndarray, valid: np.ndarray | None = None) -> bool:
    """Whether the valid values (None: all) are not all the same."""
    # In all but few images, one row tells.
    row = (..., slice(values.shape[-2] // 2, values.shape[-2] // 2 + 1), slice(None))
    some = _seen(values[row], None if valid is None else valid[row])
    return _varies(some) or _varies(_seen(values, valid))


def windowed(values: np.ndarray, header: Dataset) -> np.ndarray | None:
    """Values after the object's VOI LUT or first window in [0, 1], or None if it has none that can be used."""
    try:
        if header.get("VOILUTSequence"):
            return looked_up(values, header)
        window = linear_window(header)
        return window(values) if window else sigmoid(values, header)
    # A window of width 0 or a LUT without a descriptor: the percentiles stand in for it.
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, NotImplementedError):
        return None


def stretched(
    values: np.ndarray, valid: np.ndarray | None = None, percentiles: tuple[float, float] = PERCENTILES
) -> np.ndarray:
    """Values between two robust percentiles of the valid ones, as [0, 1]; raises Refusal without contrast."""
    if not has_contrast(values, valid):
        raise Refusal(Reason.BLANK)
    low, high = np.percentile(_sample(values, valid), percentiles)
    if low < high:
        return Linear(low, high)(values)
    seen = _seen(values, valid)
    return Linear(seen.min(), seen.max())(values)


def finished(unit: np.ndarray, valid: np.ndarray | None = None, *, inverted: bool) -> np.ndarray:
    """Applies the presentation: inverts MONOCHROME1 and blackens padding."""
    shown = 1 - unit if inverted else unit
    if valid is not None and not valid.all():
        shown = np.where(valid, shown, 0)
    return shown.astype(np.float32, copy=False)


def quantised(unit: np.ndarray, bits: int) -> np.ndarray:
    """[0, 1] in 2^bits equal steps, as uint8 or uint16."""
    steps: np.ndarray = np.rint(unit * (2**bits - 1))
    return steps.astype(np.uint8 if bits == 8 else np.uint16)


def pixel_spacing(header: Dataset) -> tuple[float, float]:
    """Distance of rows and of columns (mm), or (1, 1) where the object has none that makes sense."""
    value = header.get("PixelSpacing") or header.get("ImagerPixelSpacing") or (1, 1)
    down, across = (float(part) for part in value) if len(value) == 2 else (1.0, 1.0)
    return (down, across) if down > 0 and across > 0 and 0.1 < down / across < 10 else (1.0, 1.0)


def _varies(seen: np.ndarray) -> bool:
    return bool(seen.size and seen.min() < seen.max())


def _sample(values: np.ndarray, valid: np.ndarray | None) -> np.ndarray:
    step = max(1, round((values.size / _SAMPLE) ** 0.5))
    every = (..., slice(None, None, step), slice(None, None, step))
    seen = _seen(values[every], None if valid is None else valid[every])
    return seen if seen.size else _seen(values, valid)


def _seen(values: np.ndarray, valid: np.ndarray | None) -> np.ndarray:
    seen: np.ndarray = values if valid is None else values[valid]
    return seen
