"""Images with text planted in them: who, when and which hospital, as workstations and scanners write it.

Every name is drawn from lists of made-up syllables, every picture is a phantom or one that the caller gives, so
nothing of a patient is in what this makes. `Planted` says where each word lies, so recall can be counted by word.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Box = tuple[int, int, int, int]

_SYLLABLES = ("BA", "DOR", "EL", "FIN", "GAR", "HOL", "IV", "KEN", "LOR", "MAR", "NOV", "OST", "PER", "RUD")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# PIL's own fonts stop at this size being legible; below it strokes are less than a pixel wide.
SMALLEST = 8
_STYLES = ("bright", "dark", "outlined", "boxed", "faint")
_HERSHEY = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)


@dataclass(frozen=True)
class Style:
    """How a text is drawn.

    size: letters from ascender to descender in pixels; paint: one of bright, dark, outlined, boxed, faint;
    turned: quarter turns anticlockwise; hershey: a stroke font of cv2 in place of Pillow's own.
    """

    size: int
    paint: str = "bright"
    turned: int = 0
    hershey: int | None = None
    at_rim: bool = False


@dataclass(frozen=True)
class Planted:
    """An image with text: values as the background's dtype [rows, columns], lines as boxes, and how."""

    values: np.ndarray
    lines: tuple[Box, ...]
    words: int
    style: Style


def draw_style(rng: np.random.Generator, largest: int) -> Style:
    """A style at random; sizes are even on a logarithmic scale from 8 pixels to `largest`."""
    size = int(np.exp(rng.uniform(np.log(SMALLEST), np.log(max(largest, SMALLEST + 1)))))
    return Style(
        size=size,
        paint=str(rng.choice(_STYLES)),
        turned=int(rng.choice([0, 0, 0, 1, 3])),
        # Hershey strokes of less than a pixel break up.
        hershey=int(rng.choice(_HERSHEY)) if size >= 12 and rng.random() < 0.35 else None,
        at_rim=bool(rng.random() < 0.5),
    )


def _name(rng: np.random.Generator) -> str:
    return "".join(rng.choice(_SYLLABLES, rng.integers(2, 4)))


def draw_lines(rng: np.random.Generator) -> tuple[str, ...]:
    """One to four lines of identifying text: a name, an identifier, a date, a hospital."""
    date = f"{rng.integers(1, 29):02d}/{rng.integers(1, 13):02d}/{rng.integers(1920, 2024)}"
    choices = (
        f"{_name(rng)}, {_name(rng).title()}",
        f"{_name(rng)}^{_name(rng)}",
        f"ID: {rng.integers(10**6, 10**9)}",
        f"DOB {date}",
        f"{rng.integers(1990, 2024)} {rng.choice(_MONTHS)} {rng.integers(1, 29)}",
        f"{_name(rng).title()} Medical Center",
        f"{date} {rng.integers(0, 24):02d}:{rng.integers(0, 60):02d}",
        f"Name: {_name(rng)} {_name(rng)}",
    )
    count = int(rng.integers(1, 5))
    return tuple(str(choice) for choice in rng.choice(choices, count, replace=False))


def plant(values: np.ndarray, lines: tuple[str, ...], style: Style, rng: np.random.Generator) -> Planted:
    """Draws lines into a copy of an image [rows, columns] of any integer dtype.

    Bright text has the image's largest value or up to half as much more where the dtype allows: it may lie
    beyond the display window. Faint text differs from what is below it by a quarter of the image's contrast.
    """
    cover, boxes, words = _render(lines, style)
    while cover.shape[0] > values.shape[0] or cover.shape[1] > values.shape[1]:
        lines, style = _smaller(lines, style)
        cover, boxes, words = _render(lines, style)
    top, left = _place(values.shape, cover.shape, style, rng)
    painted = values.astype(np.float64)
    region = painted[top : top + cover.shape[0], left : left + cover.shape[1]]
    _paint(region, cover, style, values, rng)
    limits = np.iinfo(values.dtype)
    shifted = tuple((x0 + left, y0 + top, x1 + left, y1 + top) for x0, y0, x1, y1 in boxes)
    return Planted(
        np.clip(np.rint(painted), limits.min, limits.max).astype(values.dtype), shifted, words, style
    )


def _smaller(lines: tuple[str, ...], style: Style) -> tuple[tuple[str, ...], Style]:
    if len(lines) > 1:
        return lines[:-1], style
    if style.size > SMALLEST:
        return lines, replace(style, size=max(SMALLEST, style.size * 3 // 4), hershey=None)
    return (lines[0][:-1],), style


def _paint(
    region: np.ndarray, cover: np.ndarray, style: Style, values: np.ndarray, rng: np.random.Generator
) -> None:
    low, high = (float(part) for part in np.percentile(values, (0.5, 99.5)))
    contrast = max(high - low, 1.0)
    ink = float(values.max()) + (rng.uniform(0, 0.5) * contrast if rng.random() < 0.5 else 0)
    paper = float(values.min())
    if style.paint == "dark":
        ink, paper = paper, ink
    if style.paint == "boxed":
        region[:] = paper
    elif style.paint == "outlined":
        edge = cv2.dilate(cover, np.ones((3, 3), np.uint8))
        region += edge * (paper - region)
    elif style.paint == "faint":
        ink = region + rng.choice((-1, 1)) * 0.25 * contrast
    elif style.paint == "dark" and region.mean() < low + 0.3 * contrast:
        # Black on black is no text: such a workstation would write on a plate.
        region[:] = paper
    region += cover * (ink - region)


def _render(lines: tuple[str, ...], style: Style) -> tuple[np.ndarray, tuple[Box, ...], int]:
    drawn = [_line(line, style) for line in lines]
    height, width = style.size + 2, max(part.shape[1] for part in drawn)
    cover = np.zeros((height * len(drawn), width), np.float32)
    boxes = []
    for place, part in enumerate(drawn):
        cover[place * height : place * height + part.shape[0], : part.shape[1]] = part[:height]
        rows, columns = np.nonzero(part > 0.3)
        boxes.append(
            (columns.min(), rows.min() + place * height, columns.max() + 1, rows.max() + 1 + place * height)
        )
    for _ in range(style.turned):
        boxes = [(y0, cover.shape[1] - x1, y1, cover.shape[1] - x0) for x0, y0, x1, y1 in boxes]
        cover = np.rot90(cover)
    words = sum(len(line.split()) for line in lines)
    return np.ascontiguousarray(cover), tuple(tuple(int(v) for v in box) for box in boxes), words


def _line(line: str, style: Style) -> np.ndarray:
    if style.hershey is not None:
        scale = cv2.getFontScaleFromHeight(style.hershey, max(4, int(style.size * 0.7)), 1)
        weight = max(1, style.size // 12)
        (width, _), _ = cv2.getTextSize(line, style.hershey, scale, weight)
        canvas = np.zeros((style.size, width + 4), np.uint8)
        cv2.putText(canvas, line, (1, int(style.size * 0.78)), style.hershey, scale, 255, weight, cv2.LINE_AA)
        return canvas.astype(np.float32) / 255
    font = ImageFont.load_default(style.size)
    left, _, right, _ = font.getbbox(line)
    canvas = Image.new("L", (int(right - left) + 4, style.size))
    ImageDraw.Draw(canvas).text((1 - left, style.size * 0.8), line, 255, font, anchor="ls")
    return np.asarray(canvas, np.float32) / 255


def _place(
    image: tuple[int, ...], cover: tuple[int, ...], style: Style, rng: np.random.Generator
) -> tuple[int, int]:
    free = [whole - part for whole, part in zip(image, cover, strict=True)]
    spot = [int(rng.integers(0, room + 1)) for room in free]
    if style.at_rim:
        axis = int(rng.integers(0, 2))
        spot[axis] = int(rng.choice((0, free[axis])))
    return spot[0], spot[1]
