"""Text burned into an image: what the header says, where it is known to lie, and what a detector finds."""

from wardround.imaging.burned_in.examine import Rules, blackened, examine
from wardround.imaging.burned_in.headers import HEADER_TAGS, OVERLAY_TAGS
from wardround.imaging.burned_in.verdict import Box, Finding, Outcome, Suspicion, Verdict

__all__ = [
    "HEADER_TAGS",
    "OVERLAY_TAGS",
    "Box",
    "Finding",
    "Outcome",
    "Rules",
    "Suspicion",
    "Verdict",
    "blackened",
    "examine",
]
