"""Grey images and stacks of them, read from an object; the modality LUT gives their values their meaning."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut

from wardround.imaging.reading.claims import CLAIM_TAGS
from wardround.imaging.reading.deadline import limited
from wardround.imaging.reading.files import Openable
from wardround.imaging.reading.groups import GROUP_TAGS, frame_header, is_enhanced
from wardround.imaging.reading.header import selected, text
from wardround.imaging.reading.luminance import is_colour, luminance
from wardround.imaging.reading.palette import PALETTE_TAGS
from wardround.imaging.reading.stored import Stored, open_stored, refusing, stored_of
from wardround.imaging.reasons import Reason, Refusal

# Keywords, or (group, element) where there is none.
Tags = tuple[str | tuple[int, int], ...]

GREY_TAGS = (
    *CLAIM_TAGS,
    *GROUP_TAGS,
    *PALETTE_TAGS,
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


@dataclass(frozen=True)
class Grey:
    """One grey image [rows, columns] before its modality LUT, with the header that says what it means.

    `stored` may be read-only. `header` is a single-frame object's; for a frame of an enhanced multi-frame object
    it is as if it were one (`groups.frame_header`). `top` is None, or for what was colour the largest luminance
    that it could have.
    """

    stored: np.ndarray
    header: Dataset
    top: float | None = None

    @cached_property
    def values(self) -> np.ndarray:
        """Values after the modality LUT (Hounsfield units in CT), float32 [rows, columns]. Raises Refusal."""
        if self.header.get("ModalityLUTSequence") and self.top is None:
            with refusing(Reason.DAMAGED_HEADER):
                shown: np.ndarray = apply_modality_lut(self.stored, self.header)
                return shown.astype(np.float32)
        slope, intercept = self.rescale
        values = self.stored.astype(np.float32)
        if (slope, intercept) != (1, 0):
            values *= np.float32(slope)
            values += np.float32(intercept)
        return values

    @cached_property
    def valid(self) -> np.ndarray:
        """Which pixels are numbers and not padding, bool [rows, columns]. Raises Refusal."""
        finite = np.ones(self.stored.shape, bool)
        if self.stored.dtype.kind == "f":
            np.isfinite(self.stored, out=finite)
        if not self._has_padding:
            return finite
        value, limit = (self.header.get(name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit"))
        with refusing(Reason.DAMAGED_HEADER):
            low, high = sorted((int(value), int(value if limit is None else limit)))
        finite &= (self.stored < low) | (self.stored > high)
        return finite

    @property
    def padded(self) -> bool:
        """Whether there may be pixels that are not valid; if not, `valid` need not be looked at."""
        return self._has_padding or (self.stored.dtype.kind == "f" and self.top is None)

    @property
    def _has_padding(self) -> bool:
        return self.top is None and self.header.get("PixelPaddingValue") is not None

    @property
    def rescale(self) -> tuple[float, float]:
        """Slope and intercept from stored values to `values`, where there is no modality LUT. Raises Refusal."""
        slope, intercept = (self.header.get(name) for name in ("RescaleSlope", "RescaleIntercept"))
        if slope is None or intercept is None or self.top is not None:
            return 1.0, 0.0
        with refusing(Reason.DAMAGED_HEADER):
            return float(slope), float(intercept)

    @property
    def inverted(self) -> bool:
        """Whether small values are to be shown white (MONOCHROME1)."""
        return text(self.header, "PhotometricInterpretation") == "MONOCHROME1"


@dataclass(frozen=True)
class Stack:
    """The frames of one object, decoded when they are asked for, so that one is in memory at a time.

    header: the object's own elements, with the functional groups, as read.
    """

    opened: Stored
    header: Dataset

    @property
    def frames(self) -> int:
        """How many frames there are, 1 or more."""
        return self.opened.claims.frames

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of each frame."""
        return self.opened.claims.rows, self.opened.claims.columns

    @property
    def values_bytes(self) -> int:
        """What the values of all frames take as float32."""
        rows, columns = self.shape
        return 4 * rows * columns * self.frames

    @property
    def enhanced(self) -> bool:
        """Whether the frames are described by functional groups."""
        return is_enhanced(self.header)

    def frame_header(self, index: int) -> Dataset:
        """The header of one frame as if it were an object of its own; nothing is decoded. Raises Refusal."""
        with refusing(Reason.DAMAGED_HEADER):
            return frame_header(self.header, index)

    def grey(self, index: int) -> Grey:
        """Decodes one frame (0 is the first). Raises Refusal."""
        return self._grey(index, self.opened.frame(index))

    def __iter__(self) -> Iterator[Grey]:
        """Decodes all frames in order, faster than one by one. Raises Refusal."""
        for index, stored in enumerate(self.opened):
            yield self._grey(index, stored)

    def _grey(self, index: int, stored: np.ndarray) -> Grey:
        header = self.frame_header(index) if self.enhanced else self.header
        if not is_colour(self.opened.claims):
            return Grey(stored, header)
        with refusing(Reason.PALETTE), limited():
            grey, top = luminance(stored, self.opened.claims, self.opened.dataset)
        return Grey(grey, header, top)


def read_stack(file: Openable, max_bytes: int, tags: Tags = ()) -> Stack:
    """Opens an object of one or more frames; `tags` are elements to have in its header beside GREY_TAGS.

    A decoded frame may take `max_bytes`; all of them together may take more, see `Stack.values_bytes`.
    Raises Refusal, before decoding where the header or a codestream tells.
    """
    opened = open_stored(file, (*GREY_TAGS, *tags), max_bytes)
    return Stack(opened, opened.dataset)


def stack_of(dataset: Dataset, max_bytes: int, tags: Tags = ()) -> Stack:
    """The same of an object that was read, which is not changed. Raises Refusal."""
    opened = stored_of(selected(dataset, (*GREY_TAGS, *tags)), max_bytes)
    return Stack(opened, opened.dataset)


def read_grey(file: Openable, max_bytes: int) -> Grey:
    """Decodes a single-frame object. Raises Refusal, before decoding where the header tells."""
    stack = read_stack(file, max_bytes)
    if stack.frames != 1:
        raise Refusal(Reason.MULTI_FRAME)
    return stack.grey(0)
