"""What an object's pixels show: regions that are known to hold text are blackened, and the rest is looked at.

object ─ known regions blackened (decoded, if it was compressed) ─ looked at ─ as it may be written, or refused
"""

from typing import NamedTuple

from pydicom.dataset import Dataset

from wardround.imaging import burned_in
from wardround.imaging.burned_in.regions import known_regions
from wardround.imaging.deid.blacken import blackened_object, copied
from wardround.imaging.gate import GATE_TAGS, check_frames
from wardround.imaging.reading.grey import stack_of
from wardround.imaging.reading.header import PIXEL_TAGS, text
from wardround.imaging.reasons import Reason, Refusal


class Shown(NamedTuple):
    """An object as it may be written, and whether parts of its pixels were blackened for that."""

    dataset: Dataset
    masked: bool = False


def looked_at(dataset: Dataset, rules: burned_in.Rules, max_bytes: int) -> Shown:
    """The object with its known regions blackened; the one that was given is not changed.

    What is looked at is what would be written. Raises Refusal if it may show who the patient is, cannot be decoded,
    or cannot be blackened.
    """
    if not any(keyword in dataset for keyword in PIXEL_TAGS):
        return Shown(dataset)
    try:
        return _looked_at(dataset, rules, max_bytes)
    # Elements of the wrong type or length surface as any of these; their texts may quote the file.
    except (TypeError, ValueError, AttributeError, KeyError, IndexError, OverflowError) as error:
        raise Refusal(Reason.DAMAGED_HEADER) from error


def _looked_at(dataset: Dataset, rules: burned_in.Rules, max_bytes: int) -> Shown:
    stack = stack_of(dataset, max_bytes, GATE_TAGS)
    known = known_regions(stack.header, stack.shape, rules.catalogue)
    covered = blackened_object(dataset, stack.opened, known, max_bytes) if known.regions else dataset
    check_frames(stack if covered is dataset else stack_of(covered, max_bytes, GATE_TAGS), known, rules)
    masked = covered is not dataset
    if known.answered and text(stack.header, "BurnedInAnnotation").upper() == "YES":
        # It is known where the text was that is announced, and it is there no longer.
        covered = copied(covered)
        covered.BurnedInAnnotation = "NO"
    return Shown(covered, masked)
