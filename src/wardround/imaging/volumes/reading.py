"""The slices of a volume, one decoded at a time: single-frame objects, and frames of enhanced ones."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from wardround.imaging.reading.files import Openable
from wardround.imaging.reading.grey import Grey, Tags, read_stack
from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.volumes.layout import Layout


def read_slices(
    paths: Sequence[Openable], layout: Layout, max_bytes: int, tags: Tags = ()
) -> Iterator[tuple[int, Grey]]:
    """Yields (place in the layout, slice), file by file; each file is opened once. Raises Refusal."""
    by_file: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for place, (file, frame) in enumerate(layout.members):
        by_file[file].append((frame or 0, place))
    for file, wanted in by_file.items():
        stack = read_stack(paths[file], max_bytes, tags)
        # A file that changed since it was scanned.
        if stack.shape != layout.shape or max(wanted)[0] >= stack.frames:
            raise Refusal(Reason.FRAMES)
        for frame, place in sorted(wanted):
            yield place, stack.grey(frame)
