"""From scanned files to items: one item becomes one record, or is refused as a whole."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from wardround.imaging.labels import LabelTable
from wardround.imaging.reading.files import SourceFile, SourcePath
from wardround.imaging.reading.kinds import Kind, kind_of
from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.scan import Found
from wardround.imaging.splits import strata
from wardround.imaging.volumes.grouping import Member, choose, volumes_of
from wardround.imaging.volumes.layout import Layout, LayoutRule, laid_out

T = TypeVar("T")


class Item(BaseModel):
    """One record to be: an image (one path) or a volume (its slices' paths and their stack), its class and split.

    `order` is a keyed hash: items sorted by it are shuffled, and always in the same way. `patient` is one too;
    `split` is "" until the patient has one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: str
    patient: str
    split: str = ""
    label: int
    paths: tuple[SourcePath, ...]
    layout: Layout | None = None

    @property
    def name(self) -> str:
        """The first digits of `order`: what the item is called in quarantine and in results."""
        return self.order[:16]


class Refused(BaseModel):
    """One input file that is not used (path relative to the source), why, and what kind of object it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: SourcePath
    reason: Reason
    kind: Kind = Kind()


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
            items.append(_as_volume(item, groups[order], rule) if rule else item)
            refused += _refused(_beside(items[-1], groups[order]), Reason.NOT_USED)
        except Refusal as refusal:
            refused += _refused(groups[order], refusal.reason)
    return items, refused


def with_splits(items: Sequence[Item], place: Callable[[dict[str, int]], dict[str, str]]) -> list[Item]:
    """The items in their patients' splits; `place` gives splits for patients with their strata."""
    labels: dict[str, set[int]] = defaultdict(set)
    for item in items:
        labels[item.patient].add(item.label)
    placed = place(strata(labels))
    return [item.model_copy(update={"split": placed[item.patient]}) for item in items]


def refuse_all(files: Sequence[SourceFile], reason: Reason) -> list[Refused]:
    """Refuses every file of an item for the same reason."""
    return [Refused(path=file.path, reason=reason, kind=kind_of(file)) for file in files]


def chunked(values: Sequence[T], size: int) -> list[tuple[T, ...]]:
    """Consecutive runs of at most `size` values."""
    return [tuple(values[at : at + size]) for at in range(0, len(values), size)]


def digest(items: Sequence[Item]) -> str:
    """A short name for these items in this order; other splits or labels give another."""
    content = "\n".join(item.model_dump_json() for item in items)
    return hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _item(order: str, files: Sequence[Found], labels: LabelTable) -> Item:
    if len({file.patient for file in files}) > 1:
        raise Refusal(Reason.MIXED_PATIENT)
    label = labels.class_of([file.label_keys for file in files])
    return Item(order=order, patient=files[0].patient, label=label, paths=tuple(file.path for file in files))


def _as_volume(item: Item, files: Sequence[Found], rule: LayoutRule) -> Item:
    volumes = volumes_of(Member(file.path, file.instance, part) for file in files for part in file.slices)
    paths, layout = laid_out(volumes[choose(volumes, rule.min_slices)], rule)
    return item.model_copy(update={"paths": paths, "layout": layout})


def _beside(item: Item, files: Sequence[Found]) -> list[Found]:
    used = set(item.paths)
    return [file for file in files if file.path not in used]


def _refused(files: Sequence[Found], reason: Reason) -> list[Refused]:
    return [Refused(path=file.path, reason=reason, kind=file.kind) for file in files]


def _without_duplicates(found: Iterable[Found]) -> tuple[list[Found], list[Refused]]:
    seen: set[str] = set()
    usable, refused = [], []
    for file in sorted(found, key=attrgetter("path")):
        reason = file.refused or (Reason.DUPLICATE if file.instance in seen else None)
        if reason:
            refused.append(Refused(path=file.path, reason=reason, kind=file.kind))
        else:
            seen.add(file.instance)
            usable.append(file)
    return usable, refused
