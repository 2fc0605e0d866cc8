"""Burned-in text: recall on planted words and false alarms by kind of image, the classical way beside, and time.

Real X-ray film is read from ../shared/data where it is; the other pictures are phantoms. Films have been halved and
halved again by those who published them, so their lead letters are smaller than in a hospital's own files.
`python -m benchmarks.burned_in --images 40` is quick; the default is what the decision record quotes.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image
from pydicom.dataset import Dataset

from benchmarks.planted_text import Box, draw_lines, draw_style, plant
from benchmarks.strokes import find_strokes
from wardround.imaging.burned_in import Rules, examine
from wardround.imaging.burned_in.detector import look
from wardround.local.phantoms import Body, attenuation
from wardround.local.phantoms_mr import head

FILM = Path(__file__).resolve().parents[2] / "shared" / "data" / "cxr_sites" / "img"
GOAL = 0.98
Picture = Callable[[np.random.Generator], np.ndarray]


class Found(NamedTuple):
    """Shares: images with text that are caught, lines that are boxed, clean images that are caught."""

    images: float
    lines: float
    false_alarms: float


def main() -> None:
    """Print the result; the last line is JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--images", type=int, default=140, help="images of each kind")
    arguments.add_argument("--kind", nargs="*", help="of: x-ray, ct, mr, film, stack; all if not given")
    given = arguments.parse_args()
    count, wanted = given.images, given.kind or ["x-ray", "ct", "mr", "film", "stack"]
    known = {"x-ray": _x_ray, "ct": _ct, "mr": _mr, **({"film": _film} if FILM.is_dir() else {})}
    kinds = {name: picture for name, picture in known.items() if name in wanted}
    ways = {"detector": _boxes, "strokes": find_strokes}
    result = {
        way: {kind: _measure(picture, find, count)._asdict() for kind, picture in kinds.items()}
        for way, find in ways.items()
    }
    stacks = _stacks(max(4, count // 10)) if "stack" in wanted else {}
    films = _films(3 * count) if "film" in wanted else {}
    recall = min((found["images"] for found in result["detector"].values()), default=None)
    about = {"benchmark": "burned_in", "ratio": recall, "goal": GOAL, "better": "higher", "images": count}
    print(json.dumps({**about, **result, "stacks": stacks, "film_as_published": films, "ms": _times()}))


def _measure(picture: Picture, find: Callable[[np.ndarray], list[Box]], count: int) -> Found:
    rng, caught, boxed, alarms = np.random.default_rng(7), [], [], []
    for _ in range(count):
        clean = picture(rng)
        alarms.append(bool(find(clean)))
        planted = plant(clean, draw_lines(rng), draw_style(rng, min(clean.shape) // 16), rng)
        boxes = find(planted.values)
        boxed += [_covered(line, boxes) for line in planted.lines]
        # A false alarm elsewhere is no merit: only a box on the text counts.
        caught.append(any(boxed[-len(planted.lines) :]))
        if not caught[-1]:
            print(f"missed: {planted.style}", file=sys.stderr)
    found = Found(*(round(float(np.mean(column)), 4) for column in (caught, boxed, alarms)))
    print(
        f"{picture.__name__.strip('_'):8} {find.__name__.strip('_'):14} {found}", file=sys.stderr, flush=True
    )
    return found


def _boxes(values: np.ndarray) -> list[Box]:
    return [tuple(text.box) for text in look(values)]


def _covered(line: Box, boxes: list[Box]) -> bool:
    left, top, right, bottom = line
    seen = np.zeros((bottom - top, right - left), bool)
    for x0, y0, x1, y1 in boxes:
        seen[max(0, y0 - top) : max(0, y1 - top), max(0, x0 - left) : max(0, x1 - left)] = True
    return bool(seen.mean() > 0.5)


def _x_ray(rng: np.random.Generator, size: tuple[int, int] = (1024, 896)) -> np.ndarray:
    body = Body(
        width=rng.uniform(0.8, 0.95),
        lung=(rng.uniform(0.6, 0.7), rng.uniform(0.28, 0.34)),
        apart=0.43,
        top=-0.83,
        heart=(0.33, 0.3),
        ribs=9,
        slope=rng.uniform(0.3, 0.55),
        density=0.6,
        texture=rng.uniform(0.01, 0.02),
    )
    image = attenuation(body, size, rng, opacity=bool(rng.random() < 0.5))
    low, high = image.min(), image.max()
    grey = 200 + 3000 * (image - low) / (high - low) + rng.normal(0, 30, size)
    _marker(grey, rng)
    return np.clip(grey, 0, 4095).astype(np.uint16)


def _marker(grey: np.ndarray, rng: np.random.Generator) -> None:
    """A lead letter, as on nearly every film."""
    size = grey.shape[0] // 600 + 1
    place = int(grey.shape[1] * rng.uniform(0.05, 0.9)), int(grey.shape[0] * 0.12)
    lead = np.zeros(grey.shape, np.uint8)
    cv2.putText(lead, str(rng.choice(("L", "R", "AP"))), place, cv2.FONT_HERSHEY_DUPLEX, size, 255, 2 * size)
    grey[lead > 127] = 3900


def _ct(rng: np.random.Generator) -> np.ndarray:
    return _ct_stack(rng, 1)[0]


def _ct_stack(rng: np.random.Generator, slices: int) -> np.ndarray:
    volume = head((slices + 6, 512, 512), rng, lesion=False)[3 : 3 + slices]
    down, across = np.meshgrid(*(np.linspace(-1, 1, 512),) * 2, indexing="ij")
    skull = np.exp(-(((np.hypot(down, across / 0.8) - 0.82) / 0.03) ** 2))
    # Air at -1000, soft tissue about 40, bone up to 1300 Hounsfield units, as scanners store them: with 1024 more.
    units = 24 + volume / volume.max() * 1040 + 1300 * skull + rng.normal(0, 12, volume.shape)
    return np.clip(units, 0, 4095).astype(np.uint16)


def _mr(rng: np.random.Generator) -> np.ndarray:
    volume = head((8, 256, 256), rng, lesion=False)[4]
    return np.clip(volume / volume.max() * 900 + rng.normal(20, 8, volume.shape), 0, 4095).astype(np.uint16)


def _film(rng: np.random.Generator) -> np.ndarray:
    paths = _film_paths()
    with Image.open(paths[int(rng.integers(len(paths)))]) as image:
        grey = np.asarray(image.convert("L"))
    large = cv2.resize(grey, (1024, 1024 * grey.shape[0] // grey.shape[1]), interpolation=cv2.INTER_CUBIC)
    return np.clip(large * 12.0 + rng.normal(0, 30, large.shape), 0, 4095).astype(np.uint16)


def _film_paths() -> list[Path]:
    # The detector's bounds were chosen on the films at even places.
    return sorted(FILM.glob("*.png"))[1::2]


def _films(count: int) -> dict[str, float]:
    if not FILM.is_dir():
        return {}
    paths = _film_paths()
    chosen = paths[:: max(1, len(paths) // count)]
    images = [np.asarray(Image.open(path).convert("L")) for path in chosen]
    return {"films": len(images), "caught": round(float(np.mean([bool(look(image)) for image in images])), 4)}


def _stacks(count: int) -> dict[str, float]:
    """CT stacks of 36 slices: caught with text in all slices, in one slice, and without text."""
    rng, caught = np.random.default_rng(11), {"every slice": [], "one slice": [], "clean": []}
    for _ in range(count):
        stack = _ct_stack(rng, 36)
        lines, style = draw_lines(rng), draw_style(rng, 32)
        where, seed = int(rng.integers(36)), int(rng.integers(1 << 30))
        caught["clean"].append(bool(_stack_boxes(stack)))
        every = [plant(part, lines, style, np.random.default_rng(seed)) for part in stack]
        one = stack.copy()
        one[where] = every[where].values
        for name, seen in (("one slice", one), ("every slice", np.stack([part.values for part in every]))):
            boxes = _stack_boxes(seen)
            caught[name].append(any(_covered(line, boxes) for line in every[where].lines))
    return {name: round(float(np.mean(found)), 4) for name, found in caught.items()}


def _stack_boxes(stack: np.ndarray) -> list[Box]:
    return [tuple(finding.box) for finding in examine(_header("CT"), stack, Rules()).findings]


def _header(modality: str) -> Dataset:
    header = Dataset()
    header.Modality, header.PhotometricInterpretation = modality, "MONOCHROME2"
    return header


def _times() -> dict[str, float]:
    """Milliseconds of processor time: opening the networks, a large CR, a CT slice alone and in a stack."""
    rng, rules = np.random.default_rng(5), Rules()
    ct = _ct_stack(rng, 36)
    cases: Iterator[tuple[str, str, np.ndarray, int]] = iter(
        (
            ("first look", "CT", ct[0, :64, :64], 1),
            ("cr 2500 x 2000", "CR", _x_ray(rng, (2500, 2000)), 1),
            ("ct 512 x 512", "CT", ct[20], 1),
            ("ct 512 x 512 in a stack", "CT", ct, len(ct)),
        )
    )
    return {
        name: _milliseconds(_header(kind), frames, rules) / slices for name, kind, frames, slices in cases
    }


def _milliseconds(header: Dataset, frames: np.ndarray, rules: Rules) -> float:
    start = time.process_time()
    examine(header, frames, rules)
    return round(1000 * (time.process_time() - start), 1)


if __name__ == "__main__":
    main()
