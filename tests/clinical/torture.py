"""Reads a collection of difficult files as the intake does and compares with what is known about each.

    python -m tests.clinical.torture FOLDER [--workers 2] [--all]

FOLDER holds `expected.csv` (columns file, ts, shape, outcome, detail, pixel_sha256) and `files/`. `outcome` is
`decodes`, or else says why there is no image. Of an image the SHA-256 of its values is known (frames, rows, columns
and samples in this order, as pydicom's `pixel_array`, in the file's byte order), or, where decoders differ, their
range. Prints each difference and a summary; ends with 1 if there is a difference.
"""

import argparse
import csv
import hashlib
import json
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel

from wardround.imaging.pool import Crew, Limits
from wardround.imaging.reading.grey import read_stack
from wardround.imaging.reading.header import quiet
from wardround.imaging.reading.kinds import Kind, kind_of
from wardround.imaging.reading.pixels import to_unit
from wardround.imaging.reading.stored import Stored, open_stored
from wardround.imaging.reasons import Reason, Refusal

MAX_BYTES = 512 << 20
SECONDS = 20.0
PEAK_MB = 1536
# Grey levels by which the ends of the range may differ between decoders.
_JPEG, _JPEG_LEVELS, _LOSSY_LEVELS = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"), 6, 2


class Expected(NamedTuple):
    """A row of `expected.csv`."""

    file: str
    syntax: str
    shape: tuple[int, ...] | None
    decodes: bool
    range: tuple[float, float] | None
    sha256: str


class Seen(BaseModel):
    """What became of a file: a refusal, or its shape, range and digests (little-endian, big-endian).

    `raised` names an exception that is no refusal, which there must not be.
    """

    file: str
    seconds: float = 0
    reason: Reason | None = None
    kind: Kind = Kind()
    shape: tuple[int, ...] = ()
    low: float = 0
    high: float = 0
    sha256: tuple[str, str] = ("", "")
    shown: str = ""
    raised: str = ""


@dataclass(frozen=True)
class Portion:
    """Files for one worker, and where it writes what it saw."""

    result: Path
    folder: Path
    files: tuple[str, ...]
    fatal: tuple[tuple[str, Reason], ...] = ()


class Verdict(NamedTuple):
    """Differences by file, everything seen, and the largest memory of any worker (MB)."""

    differences: dict[str, str]
    seen: list[Seen]
    peak_mb: float


def judge(folder: Path, workers: int = 2) -> Verdict:
    """Reads all files of a collection in workers and compares."""
    expected = read_expected(folder / "expected.csv")
    with tempfile.TemporaryDirectory() as name:
        portions = [
            Portion(
                Path(name) / f"{at}.json", folder / "files", tuple(row.file for row in expected[at : at + 8])
            )
            for at in range(0, len(expected), 8)
        ]
        with Crew(workers, Limits(SECONDS, memory=8 << 30)) as crew:
            crew.run(portions, look_at, lambda _: None, blamed)
        seen = [Seen.model_validate(one) for part in portions for one in json.loads(part.result.read_text())]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    compared = ((row, difference(row, one)) for row, one in zip(expected, seen, strict=True))
    return Verdict({row.file: found for row, found in compared if found}, seen, peak)


def read_expected(path: Path) -> list[Expected]:
    """Reads `expected.csv`."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [_expected(row) for row in csv.DictReader(stream)]


def look_at(portion: Portion) -> None:
    """Looks at the files of a portion, one after the other, and writes what it saw."""
    fatal, seen = dict(portion.fatal), []
    for file in portion.files:
        _marker(portion).write_text(file)
        path = portion.folder / file
        if file in fatal:
            one = Seen(
                file=file, reason=fatal[file], seconds=SECONDS if fatal[file] == Reason.TOO_SLOW else 0
            )
        else:
            start = time.perf_counter()
            one = _look(file, path).model_copy(update={"seconds": time.perf_counter() - start})
        seen.append(one.model_copy(update={"kind": kind_of(path)}).model_dump(mode="json"))
    portion.result.write_text(json.dumps(seen))


def blamed(portion: Portion, reason: Reason) -> Portion:
    """The portion without the file that ended its process."""
    return replace(portion, fatal=(*portion.fatal, (_marker(portion).read_text(), reason)))


def difference(expected: Expected, seen: Seen) -> str | None:
    """What is not as expected, or None."""
    if seen.raised:
        return f"raises {seen.raised}"
    if seen.seconds > SECONDS:
        return f"took {seen.seconds:.0f} s"
    if not expected.decodes:
        return None if seen.reason else "is read, where nothing should be"
    if seen.reason:
        return f"is refused: {seen.reason.value} ({seen.kind.sop_class}; {seen.kind.syntax})"
    if expected.shape and expected.shape != seen.shape:
        return f"has shape {seen.shape}, not {expected.shape}"
    if expected.sha256:
        return None if expected.sha256 in seen.sha256 else "has other values"
    levels = _JPEG_LEVELS if expected.syntax in _JPEG else _LOSSY_LEVELS
    if expected.range and max(abs(np.subtract(expected.range, (seen.low, seen.high)))) > levels:
        return f"has range {seen.low:g} to {seen.high:g}, not {expected.range[0]:g} to {expected.range[1]:g}"
    return None


def main() -> int:
    """Judges the folder named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--all", action="store_true", help="print every file, not only the differences")
    arguments = parser.parse_args()
    start = time.perf_counter()
    verdict = judge(arguments.folder, arguments.workers)
    for line in _lines(verdict, everything=arguments.all):
        print(line)
    print(json.dumps(_summary(verdict, time.perf_counter() - start)))
    return 1 if verdict.differences or verdict.peak_mb > PEAK_MB else 0


def _look(file: str, path: Path) -> Seen:
    try:
        with quiet():
            seen = _described(file, open_stored(path, (), MAX_BYTES))
            return seen.model_copy(update={"shown": _shown(path)})
    except Refusal as refusal:
        return Seen(file=file, reason=refusal.reason)
    # What this tool is there to find.
    except Exception as error:
        return Seen(file=file, raised=type(error).__name__)


def _described(file: str, stored: Stored) -> Seen:
    # Frame by frame: the whole need not fit into the memory.
    little, big = hashlib.sha256(), hashlib.sha256()
    low, high, shape = np.inf, -np.inf, ()
    for frame in stored:
        shape = frame.shape
        low, high = min(low, float(frame.min())), max(high, float(frame.max()))
        for digest, order in ((little, "<"), (big, ">")):
            digest.update(frame.astype(frame.dtype.newbyteorder(order), copy=False).tobytes())
    count = stored.claims.frames
    return Seen(
        file=file,
        shape=shape if count == 1 else (count, *shape),
        low=low,
        high=high,
        sha256=(little.hexdigest(), big.hexdigest()),
    )


def _shown(path: Path) -> str:
    """Whether the middle frame becomes an image, or why not; a difference to no expectation, but worth a look."""
    try:
        stack = read_stack(path, MAX_BYTES)
        return f"mean {to_unit(stack.grey(stack.frames // 2)).mean():.2f}"
    except Refusal as refusal:
        return refusal.reason.value


def _expected(row: dict[str, str]) -> Expected:
    ends = re.fullmatch(r"min=(\S+) max=(\S+)", row["detail"])
    return Expected(
        file=row["file"],
        syntax=row["ts"],
        shape=tuple(int(part) for part in re.findall(r"\d+", row["shape"])) or None,
        decodes=row["outcome"] == "decodes",
        range=(float(ends[1]), float(ends[2])) if ends else None,
        sha256=row["pixel_sha256"],
    )


def _lines(verdict: Verdict, *, everything: bool) -> Iterator[str]:
    for one in verdict.seen:
        if one.file in verdict.differences:
            yield f"DIFFERS  {one.file}: {verdict.differences[one.file]}"
        elif everything:
            said = one.reason.value if one.reason else f"{one.shape} {one.low:g} to {one.high:g}, {one.shown}"
            yield f"as known {one.file}: {said}"


def _summary(verdict: Verdict, seconds: float) -> dict[str, object]:
    return {
        "files": len(verdict.seen),
        "differences": len(verdict.differences),
        "decoded": sum(one.reason is None for one in verdict.seen),
        "refused": _counts([one.reason.value for one in verdict.seen if one.reason]),
        "slowest_s": round(max(one.seconds for one in verdict.seen), 2),
        "peak_mb": round(verdict.peak_mb),
        "seconds": round(seconds, 1),
    }


def _counts(reasons: Sequence[str]) -> dict[str, int]:
    return dict(sorted(Counter(reasons).items()))


def _marker(portion: Portion) -> Path:
    return portion.result.with_suffix(".busy")


if __name__ == "__main__":
    sys.exit(main())
