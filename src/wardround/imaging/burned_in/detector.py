"""Looking at an image for text: all of it at a moderate size, then close up where small text could be.

The network's time goes with the pixels that it sees. Text of a workstation is at least a hundredth of the image's
height or so; what is smaller than that in a large image has denser strokes than anatomy has, which a filter finds.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

from wardround.imaging.burned_in.network import Line, find_lines, readings
from wardround.imaging.burned_in.verdict import Box
from wardround.imaging.burned_in.views import Windows, as_grey, resized
from wardround.imaging.burned_in.words import HARMLESS, elongation, is_harmless

# The longer side that the network sees at once, and in the windows for hidden ink; what is smaller is enlarged.
OVERVIEW, HIDDEN, ENLARGED = 960, 640, 400
# Close-ups of a large image: side in pixels, how many at most, and the density of strokes that asks for one.
_CLOSE, _CLOSE_UPS, _DENSITY = 320, 4, 0.08
_CELL = 16
# A line this large in both directions is the edge of a film or of a screen.
_FRAME = 0.4
# A line this high (share of the picture's longer side, and pixels) is a headline that anybody can read.
_LARGE, _LARGE_PIXELS = 0.08, 40


class Text(NamedTuple):
    """A line that is not harmless, in pixels of the image, and how sure the network is that it is text."""

    box: Box
    score: float


def look(values: np.ndarray, words: frozenset[str] = HARMLESS) -> list[Text]:
    """Text in an image [rows, columns] of any numeric dtype; an image with marks such as `L` and `PORTABLE` has none.

    The search ends at the first picture that shows text; all lines in that picture are given, marks included.
    """
    if values.size == 0 or values.max() == values.min():
        return []
    windows = Windows.of(values)
    for part in _parts(values, windows):
        lines = _text(part.show(resized(part.values, part.scale)), words)
        if lines:
            return [Text(_in_image(line, part, values.shape), line.score) for line in lines]
    return []


class _Part(NamedTuple):
    """What is looked at at once: where it begins, its values, how much it is enlarged, and in which windows."""

    top: int
    left: int
    values: np.ndarray
    scale: float
    show: Callable[[np.ndarray], np.ndarray]


def _parts(values: np.ndarray, windows: Windows) -> Iterator[_Part]:
    scale = _scale(values, OVERVIEW)
    yield _Part(0, 0, values, scale, windows.shown)
    if scale < 1:
        for top, left in _crowded(values, windows):
            yield _Part(top, left, values[top : top + _CLOSE, left : left + _CLOSE], 1.0, windows.shown)
    if windows.hide_ink:
        yield _Part(0, 0, values, _scale(values, HIDDEN), windows.hidden)


def _scale(values: np.ndarray, side: int) -> float:
    longer = max(values.shape)
    return 2.0 if longer < ENLARGED else min(1.0, side / longer)


def _text(channels: np.ndarray, words: frozenset[str]) -> list[Line]:
    lines = [line for line in find_lines(channels) if not _is_frame(line, channels.shape[1:])]
    # The longest is the likeliest to be text, and one that is decides.
    for line in sorted(lines, key=elongation, reverse=True):
        if not _is_mark(line, channels, words):
            return lines
    return []


def _in_image(line: Line, part: _Part, shape: tuple[int, ...]) -> Box:
    box = Box(
        int(line.left / part.scale) + part.left,
        int(line.top / part.scale) + part.top,
        int(np.ceil(line.right / part.scale)) + part.left,
        int(np.ceil(line.bottom / part.scale)) + part.top,
    )
    return box.within(*shape)


def _is_mark(line: Line, channels: np.ndarray, words: frozenset[str]) -> bool:
    part = np.s_[int(line.top) : int(np.ceil(line.bottom)), int(line.left) : int(np.ceil(line.right))]
    # Ink may show in one window only.
    read = (reading for channel in channels[:2] for reading in readings(as_grey(channel[np.newaxis])[part]))
    return is_harmless(line, read, words, large=_is_large(line, channels.shape[1:]))


def _is_large(line: Line, shape: tuple[int, ...]) -> bool:
    # The rows of heads in a mosaic of slices look like lines of round letters.
    height = min(line.right - line.left, line.bottom - line.top)
    return height > max(_LARGE_PIXELS, _LARGE * max(shape))


def _is_frame(line: Line, shape: tuple[int, ...]) -> bool:
    return (line.right - line.left) > _FRAME * shape[1] and (line.bottom - line.top) > _FRAME * shape[0]


def _crowded(values: np.ndarray, windows: Windows) -> Iterator[tuple[int, int]]:
    """Corners (top, left) of the squares with the most strokes, densest first."""
    low, high = windows.middle
    gain = 255 / max(high - low, 1e-6)
    grey = np.clip((values.astype(np.float32) - low) * gain, 0, 255).astype(np.uint8)
    slope = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    bound = max(24.0, 4 * float(np.median(slope[::8, ::8])))
    strokes = (slope > bound).astype(np.float32)
    # An image may be narrower than a cell.
    size = max(1, round(values.shape[1] / _CELL)), max(1, round(values.shape[0] / _CELL))
    cells = cv2.resize(strokes, size, interpolation=cv2.INTER_AREA)
    # A line of text fills a few cells in a row and leaves those beside it empty.
    filled = np.maximum(cv2.blur(cells, (4, 1)), cv2.blur(cells, (1, 4)))
    for _ in range(_CLOSE_UPS):
        row, column = np.unravel_index(int(filled.argmax()), filled.shape)
        if filled[row, column] < _DENSITY:
            return
        top, left = (
            int(np.clip(at * _CELL + _CELL // 2 - _CLOSE // 2, 0, max(0, side - _CLOSE)))
            for at, side in zip((row, column), values.shape, strict=True)
        )
        yield top, left
        filled[top // _CELL : (top + _CLOSE) // _CELL, left // _CELL : (left + _CLOSE) // _CELL] = 0
