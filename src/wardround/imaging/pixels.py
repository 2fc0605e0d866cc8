"""From grey values to what is shown, in [0, 1].

The order is that of the greyscale pipeline (PS3.4 N.2): stored values, modality LUT, VOI LUT, presentation.
"""

import numpy as np
from pydicom.dataset import Dataset

from wardround.imaging.grey import Grey, Stack, read_grey, read_stack
from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.windows import Linear, linear_window, looked_up, sigmoid

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
_SAMPLE = 1 << 18


def to_unit(grey: Grey) -> np.ndarray:
    """Grey values as float32 [rows, columns] in [0, 1], 1 is white; padding is 0.

    The window or VOI LUT of the object is used if it leaves any contrast, else the 0.5 and 99.5 percentiles
    of the values that are not padding. What was colour keeps its range. Raises Refusal for an image without
    contrast.
    """
    if grey.top is not None:
        unit: np.ndarray | None = Linear(0, grey.top)(grey.values)
    else:
        unit = windowed(grey.values, grey.header)
    if unit is None or not has_contrast(unit, grey.valid):
        unit = stretched(grey.values, grey.valid)
    return finished(unit, grey.valid, inverted=grey.inverted)


def has_contrast(values: np.ndarray, valid: np.ndarray) -> bool:
    """Whether the valid values are not all the same."""
    # The sample tells in all but few images.
    return _varies(_sample(values, valid)) or _varies(values[valid])


def windowed(values: np.ndarray, header: Dataset) -> np.ndarray | None:
    """Values after the object's VOI LUT or first window in [0, 1], or None if it has none that can be used."""
    try:
        if header.get("VOILUTSequence"):
            return looked_up(values, header)
        window = linear_window(header)
        return window(values) if window else sigmoid(values, header)
    # A window of width 0 or a LUT without a descriptor: the percentiles stand in for it.
    except (ValueError, TypeError, AttributeError, KeyError, IndexError):
        return None


def stretched(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Values between two robust percentiles of the valid ones, as [0, 1]; raises Refusal without contrast."""
    if not has_contrast(values, valid):
        raise Refusal(Reason.BLANK)
    low, high = np.percentile(_sample(values, valid), PERCENTILES)
    if low < high:
        return Linear(low, high)(values)
    seen = values[valid]
    return Linear(seen.min(), seen.max())(values)


def finished(unit: np.ndarray, valid: np.ndarray, *, inverted: bool) -> np.ndarray:
    """Applies the presentation: inverts MONOCHROME1 and blackens padding."""
    shown = 1 - unit if inverted else unit
    if not valid.all():
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


def _sample(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    step = max(1, round((values.size / _SAMPLE) ** 0.5))
    seen: np.ndarray = values[..., ::step, ::step][valid[..., ::step, ::step]]
    return seen if seen.size else values[valid]
