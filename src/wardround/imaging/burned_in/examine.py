"""The examination of one object, or of one series as a stack: header, known regions, pixels.

A stack is not looked at slice by slice: the brightest and the darkest value of a few neighbouring slices make two
pictures, in which the ink of any of them stands out. Only text beyond the anatomy's grey is sure to survive that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from wardround.imaging.burned_in.detector import look
from wardround.imaging.burned_in.headers import suspicions
from wardround.imaging.burned_in.regions import (
    Catalogue,
    Known,
    black_out,
    known_regions,
    load_catalogue,
)
from wardround.imaging.burned_in.verdict import Box, Finding, Outcome, Suspicion, Verdict
from wardround.imaging.burned_in.views import Windows, as_grey
from wardround.imaging.burned_in.words import HARMLESS
from wardround.imaging.reading.header import text

# Up to this many frames each is looked at; of more, so many at a time.
_SINGLE, _GROUP = 3, 12


@dataclass(frozen=True)
class Rules:
    """What a site asks of its images; picklable, so that worker processes can be given it.

    catalogue: devices whose text lies in known places; harmless: words that may stand in an image, in capital letters.
    """

    catalogue: Catalogue = field(default_factory=load_catalogue)
    harmless: frozenset[str] = HARMLESS

    @classmethod
    def of(cls, catalogue: Path | None = None, harmless: Sequence[str] = ()) -> "Rules":
        """The rules with a hospital's own devices and further harmless words. Raises ConfigurationError."""
        return cls(load_catalogue(catalogue), HARMLESS | {word.upper() for word in harmless})


def examine(
    headers: Dataset | Sequence[Dataset],
    frames: np.ndarray,
    rules: Rules,
    known: Sequence[Known] | None = None,
) -> Verdict:
    """Whether an object or a series may be used.

    headers: of the object, or of every slice of a series (at least `HEADER_TAGS` and `OVERLAY_TAGS` of it).
    frames: [rows, columns], [frames, rows, columns], or with a last axis of 3 colours; numbers of any dtype, before
    windowing and resampling. It is not changed: the caller blackens `verdict.regions` (see `blackened`).
    known: for each header what `known_regions` says; given if these regions are blackened in the frames already.
    """
    every = [headers] if isinstance(headers, Dataset) else list(headers)
    stack = _as_stack(frames)
    places = known or [known_regions(header, stack.shape[1:], rules.catalogue) for header in every]
    regions = tuple(dict.fromkeys(box for place in places for box in place.regions))
    reasons = _by_header(every, places)
    if reasons:
        return Verdict(Outcome.QUARANTINED, reasons, regions, (), _picture(stack[len(stack) // 2]))
    seen = stack if known else black_out(stack, regions, _black(every[0], stack))
    for first, end, values in _pictures(seen):
        found = look(values, rules.harmless)
        if found:
            findings = tuple(Finding(text.box, first, end) for text in found)
            return Verdict(Outcome.QUARANTINED, (Suspicion.TEXT,), regions, findings, _picture(values))
    return Verdict(Outcome.MASKED if regions else Outcome.PASSED, regions=regions)


def blackened(header: Dataset, frames: np.ndarray, regions: Sequence[Box]) -> np.ndarray:
    """Frames [..., rows, columns] with a verdict's regions set to what is shown black; a copy if there are any."""
    return black_out(frames, regions, _black(header, frames))


def _by_header(headers: Sequence[Dataset], known: Sequence[Known]) -> tuple[Suspicion, ...]:
    found: set[Suspicion] = set()
    for header, places in zip(headers, known, strict=True):
        reasons = set(suspicions(header))
        if places.answered:
            reasons -= {Suspicion.ANNOTATED, Suspicion.ULTRASOUND}
        found |= reasons
    return tuple(reason for reason in Suspicion if reason in found)


def _pictures(stack: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """(first frame, end frame, picture [rows, columns]) for each look."""
    if len(stack) <= _SINGLE:
        for place, values in enumerate(stack):
            yield place, place + 1, values
        return
    for first in range(0, len(stack), _GROUP):
        group = stack[first : first + _GROUP]
        for values in (group.max(axis=0), group.min(axis=0)):
            yield first, first + len(group), values


def _as_stack(frames: np.ndarray) -> np.ndarray:
    # Coloured ink is bright in at least one colour.
    if frames.ndim >= 3 and frames.shape[-1] == 3:
        frames = frames.max(axis=-1)
    return frames[np.newaxis] if frames.ndim == 2 else frames


def _black(header: Dataset, frames: np.ndarray) -> float:
    inverse = text(header, "PhotometricInterpretation") == "MONOCHROME1"
    return float(frames.max() if inverse else frames.min())


def _picture(values: np.ndarray) -> np.ndarray:
    return as_grey(Windows.of(values).shown(values))
