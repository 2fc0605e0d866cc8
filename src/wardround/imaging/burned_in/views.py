"""What the detector sees of an image: ways to turn its values into grey, as the channels of one picture.

Text may lie outside of the window that a display would use. The middle of the values shows what a reader sees; the
whole range shows ink far above the anatomy; its root shows ink that is barely brighter than black.
"""

from dataclasses import dataclass

import cv2
import numpy as np

_SAMPLE = 512
_MIDDLE = (0.5, 99.5)
_ROOT = 0.4
# The whole range is worth a look of its own if it is so many times the middle's, or if so much of it is flat black.
_WIDER, _FLAT = 1.3, 0.05


@dataclass(frozen=True)
class Windows:
    """How an image's values become grey: darkest and brightest of the middle and of all, and the share of darkest."""

    middle: tuple[float, float]
    whole: tuple[float, float]
    darkest: float

    @classmethod
    def of(cls, values: np.ndarray) -> "Windows":
        """Finds them for an image [rows, columns]; percentiles come from a sample of its pixels."""
        step = max(1, min(values.shape) // _SAMPLE)
        sample = np.nan_to_num(values[::step, ::step].astype(np.float32))
        whole = float(np.nanmin(values)), float(np.nanmax(values))
        low, high = (float(part) for part in np.percentile(sample, _MIDDLE))
        return cls((low, high) if low < high else whole, whole, float((sample == whole[0]).mean()))

    @property
    def hide_ink(self) -> bool:
        """Whether there may be ink that the middle of the values doesn't show."""
        wider = self.whole[1] - self.whole[0] > _WIDER * (self.middle[1] - self.middle[0])
        return wider or self.darkest > _FLAT

    def shown(self, values: np.ndarray) -> np.ndarray:
        """(A part of) the image as a display shows it, float32 [3, rows, columns] in [0, 1]."""
        middle = _between(values, *self.middle)
        return np.stack([middle, _between(values, *self.whole), middle])

    def hidden(self, values: np.ndarray) -> np.ndarray:
        """(A part of) the image in its whole range, float32 [3, rows, columns] in [0, 1]."""
        whole = _between(values, *self.whole)
        return np.stack([whole, whole**_ROOT, whole])


def resized(values: np.ndarray, scale: float) -> np.ndarray:
    """An image [rows, columns] as float32, enlarged or reduced by averages."""
    values = np.ascontiguousarray(values, dtype=np.float32)
    rows, columns = (max(1, round(side * scale)) for side in values.shape)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return values if scale == 1 else cv2.resize(values, (columns, rows), interpolation=way)


def as_grey(channels: np.ndarray) -> np.ndarray:
    """The first channel as uint8 [rows, columns]: what a person is shown."""
    grey: np.ndarray = np.rint(channels[0] * 255).astype(np.uint8)
    return grey


def _between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    finite = np.nan_to_num(values.astype(np.float32))
    scaled: np.ndarray = np.clip((finite - low) / max(high - low, 1e-6), 0, 1)
    return scaled
