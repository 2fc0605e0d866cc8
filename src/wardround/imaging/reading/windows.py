"""The VOI LUT of an object (PS3.3 C.11.2): which of its values are shown, and how."""

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_voi

# Pixels handled at a time, few enough to stay in a core's cache.
_BLOCK = 1 << 17
_ENDS = np.float32(0), np.float32(1)


@dataclass(frozen=True)
class Linear:
    """Maps [low, high] to [0, 1] and clips what is outside. Raises ValueError if the range is empty."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError("an empty range")

    def __call__(self, values: np.ndarray, rescale: tuple[float, float] = (1.0, 0.0)) -> np.ndarray:
        """float32, a new array: of the values, or of `slope * value + intercept`."""
        slope, intercept = rescale
        scale = 1 / (self.high - self.low)
        factor, offset = np.float32(slope * scale), np.float32((intercept - self.low) * scale)
        shown = np.empty(values.shape, np.float32)
        rows = max(1, _BLOCK // max(1, values[:1].size))
        for at in range(0, len(values), rows):
            block = shown[at : at + rows]
            block[...] = values[at : at + rows]
            block *= factor
            block += offset
            np.clip(block, *_ENDS, out=block)
        return shown


def linear_window(header: Dataset) -> Linear | None:
    """The first window of the object if its function is LINEAR (the default) or LINEAR_EXACT.

    Raises ValueError for a window that is not legal (PS3.3 C.11.2.1.2): the width is 1 or more, or for
    LINEAR_EXACT above 0.
    """
    center, width, function = _window(header)
    if width is None or function == "SIGMOID":
        return None
    if function == "LINEAR_EXACT":
        return Linear(center - width / 2, center + width / 2)
    if width == 1:
        # A step: what is not above the threshold is black. The next float is the narrowest slope there is.
        return Linear(center - 0.5, float(np.nextafter(np.float32(center - 0.5), np.float32(np.inf))))
    return Linear(center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2)


def sigmoid(values: np.ndarray, header: Dataset) -> np.ndarray | None:
    """Values after the first window if its function is SIGMOID (PS3.3 C.11.2.1.3.1), else None."""
    center, width, function = _window(header)
    if width is None or function != "SIGMOID":
        return None
    if not width > 0:
        raise ValueError("an empty range")
    exponent = np.clip(-4 * (values - np.float32(center)) / np.float32(width), -80, 80)
    shown: np.ndarray = 1 / (1 + np.exp(exponent))
    return shown.astype(np.float32)


def looked_up(values: np.ndarray, header: Dataset) -> np.ndarray:
    """Values after the first VOI LUT of the object, in [0, 1]."""
    shown = apply_voi(np.rint(values).astype(np.int32), header)
    return Linear(0, 2 ** int(header.VOILUTSequence[0].LUTDescriptor[2]) - 1)(shown)


def _window(header: Dataset) -> tuple[float, float | None, str]:
    center, width = (_first(header.get(name)) for name in ("WindowCenter", "WindowWidth"))
    named = header.VOILUTFunction if "VOILUTFunction" in header else None
    function = str(named or "LINEAR").strip().upper()
    if center is None or width is None:
        return 0.0, None, function
    return center, width, function


def _first(value: object) -> float | None:
    if isinstance(value, MultiValue | list | tuple):
        value = value[0] if len(value) else None
    return None if value in (None, "") else float(str(value))
