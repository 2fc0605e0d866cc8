"""The header of one frame of an enhanced multi-frame object, as if it were an object of its own.

Functional groups (PS3.3 C.7.6.16) hold what differs between frames: one sequence of one item for each macro, once
for all frames (shared) and once for each (per frame). Here their elements come to the top, where a single-frame
object has them.
"""

from collections.abc import Iterator

from pydicom.dataset import Dataset

SHARED, PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
GROUP_TAGS = (SHARED, PER_FRAME)
# Sequences inside a macro whose elements a single-frame object has at the top (PS3.3 C.8.13.5.9).
_INNER = ("MRDiffusionGradientDirectionSequence",)
_LEFT_OUT = frozenset({"PixelData", "FloatPixelData", "DoubleFloatPixelData", SHARED, PER_FRAME})


def is_enhanced(dataset: Dataset) -> bool:
    """Whether an object describes its frames by functional groups."""
    return bool(dataset.get(SHARED) or dataset.get(PER_FRAME))


def frame_header(dataset: Dataset, index: int) -> Dataset:
    """What a single-frame object of frame `index` would say: per-frame elements before shared before the object's.

    Pixels are left out. An object without functional groups gives its own header.
    """
    header = Dataset()
    header.update({element.tag: element for element in dataset if element.keyword not in _LEFT_OUT})
    for macro in _macros(dataset, index):
        header.update({element.tag: element for element in macro})
    return header


def _macros(dataset: Dataset, index: int) -> Iterator[Dataset]:
    per_frame = dataset.get(PER_FRAME) or []
    groups = [*list(dataset.get(SHARED) or [])[:1], *list(per_frame[index : index + 1])]
    for group in groups:
        for sequence in group:
            if sequence.VR == "SQ" and len(sequence.value) == 1:
                macro = sequence.value[0]
                yield macro
                yield from (macro[name].value[0] for name in _INNER if macro.get(name))
