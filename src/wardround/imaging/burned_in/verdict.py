"""What an examination for burned-in text says. No text that was read is kept: it may be a patient's name."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np


class Suspicion(StrEnum):
    """Why an object may show who the patient is; fixed codes that may be counted and may leave a hospital."""

    ANNOTATED = "burned-in-annotation-yes"
    FEATURES = "recognizable-visual-features"
    SECONDARY = "secondary-capture"
    SCREEN = "screen-save"
    CONVERTED = "converted-from-film-screen-or-video"
    DOCUMENT = "document"
    PHOTOGRAPH = "photograph"
    KIND = "kind-of-image-not-known-as-original"
    ULTRASOUND = "ultrasound-without-regions"
    OVERLAY = "overlay-in-pixel-bits"
    TEXT = "text-in-pixels"


class Outcome(StrEnum):
    """What happens to an object: it is used, used with regions blackened, or waits for a person."""

    PASSED = "passed"
    MASKED = "masked"
    QUARANTINED = "quarantined"


class Box(NamedTuple):
    """A rectangle in pixels: columns left ≤ x < right, rows top ≤ y < bottom."""

    left: int
    top: int
    right: int
    bottom: int

    def within(self, rows: int, columns: int) -> "Box":
        """The part of it that lies in an image; empty (right ≤ left or bottom ≤ top) if none does."""
        return Box(max(0, self.left), max(0, self.top), min(columns, self.right), min(rows, self.bottom))

    @property
    def is_empty(self) -> bool:
        """Whether it holds no pixel."""
        return self.right <= self.left or self.bottom <= self.top


class Finding(NamedTuple):
    """Text in the pixels: where, and in which frames (first ≤ frame < end) it was seen."""

    box: Box
    first: int
    end: int


@dataclass(frozen=True)
class Verdict:
    """The result of one examination.

    reasons: why it waits (empty unless quarantined); regions: what has to be blackened in every frame before use,
    also after a release; findings: text that was found; picture: what the detector saw, uint8 [rows, columns],
    for the person who decides (None unless quarantined, or where there was nothing to look at).
    """

    outcome: Outcome
    reasons: tuple[Suspicion, ...] = ()
    regions: tuple[Box, ...] = ()
    findings: tuple[Finding, ...] = ()
    picture: np.ndarray | None = field(default=None, compare=False, repr=False)
