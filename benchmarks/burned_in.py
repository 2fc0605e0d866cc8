"""Burned-in text: recall on planted words and false alarms by kind of image, the classical way beside, and time.

Real X-ray film is read from ../shared/data where it is; the other pictures are phantoms (`benchmarks.pictures`).
Ultrasound is measured as it is treated: without regions it waits, with regions all beside them is blackened first.
`python -m benchmarks.burned_in --images 40` is quick; the default is what the decision record quotes.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset

from benchmarks.pictures import (
    BANNER,
    FILM,
    ct,
    ct_stack,
    film,
    film_paths,
    mammogram,
    mr,
    ultrasound,
    x_ray,
)
from benchmarks.planted_text import Box, draw_lines, draw_style, plant
from benchmarks.strokes import find_strokes
from wardround.imaging.burned_in import Outcome, Rules, examine
from wardround.imaging.burned_in.detector import look

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
    arguments.add_argument(
        "--kind", nargs="*", help="of: x-ray, mg, ct, mr, film, us, stack; all if not given"
    )
    given = arguments.parse_args()
    count, wanted = given.images, given.kind or ["x-ray", "mg", "ct", "mr", "film", "us", "stack"]
    known = {"x-ray": x_ray, "mg": mammogram, "ct": ct, "mr": mr, **({"film": film} if FILM.is_dir() else {})}
    kinds = {name: picture for name, picture in known.items() if name in wanted}
    ways = {"detector": _boxes, "strokes": find_strokes}
    result = {
        way: {kind: _measure(picture, find, count)._asdict() for kind, picture in kinds.items()}
        for way, find in ways.items()
    }
    stacks = _stacks(max(4, count // 10)) if "stack" in wanted else {}
    films = _films(3 * count) if "film" in wanted else {}
    sectors = _sectors(count) if "us" in wanted else {}
    recall = min((found["images"] for found in result["detector"].values()), default=None)
    about = {"benchmark": "burned_in", "ratio": recall, "goal": GOAL, "better": "higher", "images": count}
    more = {"ultrasound": sectors, "stacks": stacks, "film_as_published": films, "ms": _times()}
    print(json.dumps({**about, **result, **more}))


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


def _films(count: int) -> dict[str, float]:
    if not FILM.is_dir():
        return {}
    paths = film_paths()
    chosen = paths[:: max(1, len(paths) // count)]
    images = [np.asarray(Image.open(path).convert("L")) for path in chosen]
    return {"films": len(images), "caught": round(float(np.mean([bool(look(image)) for image in images])), 4)}


def _sectors(count: int) -> dict[str, float]:
    """Ultrasound: what waits without regions; with one below the banner, what is hidden or caught, and false alarms."""
    rng, waits, safe, alarms = np.random.default_rng(13), [], [], []
    for _ in range(count):
        clean = ultrasound(rng)
        planted = plant(clean, draw_lines(rng), draw_style(rng, min(clean.shape) // 16), rng)
        waits.append(examine(_header("US"), planted.values, Rules()).outcome is Outcome.QUARANTINED)
        header = _header("US")
        region = Dataset()
        region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, BANNER
        region.RegionLocationMaxX1, region.RegionLocationMaxY1 = clean.shape[1] - 1, clean.shape[0] - 1
        header.SequenceOfUltrasoundRegions = [region]
        seen = examine(header, planted.values, Rules())
        hidden = [tuple(box) for box in seen.regions]
        boxes = [tuple(finding.box) for finding in seen.findings]
        caught = any(_covered(line, boxes) for line in planted.lines)
        safe.append(caught or all(_covered(line, hidden) for line in planted.lines))
        alarms.append(examine(header, clean, Rules()).outcome is Outcome.QUARANTINED)
    shares = {"waits_without_regions": waits, "hidden_or_caught": safe, "false_alarms": alarms}
    return {name: round(float(np.mean(found)), 4) for name, found in shares.items()}


def _stacks(count: int) -> dict[str, float]:
    """CT stacks of 36 slices: caught with text in all slices, in one slice, and without text."""
    rng, caught = np.random.default_rng(11), {"every slice": [], "one slice": [], "clean": []}
    for _ in range(count):
        stack = ct_stack(rng, 36)
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
    ct = ct_stack(rng, 36)
    cases: Iterator[tuple[str, str, np.ndarray, int]] = iter(
        (
            ("first look", "CT", ct[0, :64, :64], 1),
            ("cr 2500 x 2000", "CR", x_ray(rng, (2500, 2000)), 1),
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
