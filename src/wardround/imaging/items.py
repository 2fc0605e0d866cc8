"""From scanned files to items: one item becomes one record, or is refused as a whole."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from wardround.imaging.labels import LabelTable
from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.scan import Found
from wardround.imaging.volumes.grouping import Member, choose, volumes_of
from wardround.imaging.volumes.layout import Layout, LayoutRule, laid_out

T = TypeVar("T")


class Item(BaseModel):
    """One record to be: an image (one path) or a volume (its slices' paths and their stack), its class and split.

    `order` is a keyed hash: items sorted by it are shuffled, and always in the same way.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: str
    split: str
    label: int
    paths: tuple[str, ...]
    layout: Layout | None = None


class Refused(BaseModel):
    """One input file that is not used (path relative to the source), and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    reason: Reason


def make_items(
    found: Iterable[Found], labels: LabelTable, rule: LayoutRule | None = None
) -> tuple[list[Item], list[Refused]]:
    """Makes items in `order`: of images or, with a rule, of one volume a series. `labels` is keyed by hashes.

    A series is refused with all its files. Of a series with several volumes one is used; files that hold nothing
    of it are refused as not used.
    """
    usable, refused = _without_duplicates(found)
    groups: dict[str, list[Found]] = defaultdict(list)
    for file in usable:
        groups[file.series if rule else file.instance].append(file)
    items = []
    for order in sorted(groups):
        try:
            item = _item(order, groups[order], labels)
            if rule:
                item, unused = _with_layout(item, groups[order], rule)
                refused += refuse_all(unused, Reason.NOT_USED)
            items.append(item)
        except Refusal as refusal:
            refused += refuse_all([file.path for file in groups[order]], refusal.reason)
    return items, refused


def refuse_all(paths: Sequence[str], reason: Reason) -> list[Refused]:
    """Refuses every file of an item for the same reason."""
    return [Refused(path=path, reason=reason) for path in paths]


def chunked(values: Sequence[T], size: int) -> list[tuple[T, ...]]:
    """Consecutive runs of at most `size` values."""
    return [tuple(values[at : at + size]) for at in range(0, len(values), size)]


def _item(order: str, files: Sequence[Found], labels: LabelTable) -> Item:
    if len({file.patient for file in files}) > 1:
        raise Refusal(Reason.MIXED_PATIENT)
    label = labels.class_of({file.label_key for file in files if file.label_key})
    return Item(order=order, split=files[0].split, label=label, paths=tuple(file.path for file in files))


def _with_layout(item: Item, files: Sequence[Found], rule: LayoutRule) -> tuple[Item, list[str]]:
    members = (Member(file.path, file.instance, part) for file in files for part in file.slices)
    volumes = volumes_of(members)
    paths, layout = laid_out(volumes[choose(volumes, rule.min_slices)], rule)
    unused = sorted(set(item.paths) - set(paths))
    return item.model_copy(update={"paths": paths, "layout": layout}), unused


def _without_duplicates(found: Iterable[Found]) -> tuple[list[Found], list[Refused]]:
    seen: set[str] = set()
    usable, refused = [], []
    for file in sorted(found, key=attrgetter("path")):
        reason = file.refused or (Reason.DUPLICATE if file.instance in seen else None)
        if reason:
            refused.append(Refused(path=file.path, reason=reason))
        else:
            seen.add(file.instance)
            usable.append(file)
    return usable, refused
