"""From the intake's working lists to `statistics.json`."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from wardround.imaging.dataset import DatasetInfo
from wardround.imaging.items import Item, Refused
from wardround.imaging.labels import LabelTable
from wardround.imaging.scan import Found
from wardround.imaging.splits import strata
from wardround.imaging.statistics.facts import DIMENSIONS, Facts
from wardround.imaging.statistics.model import ALL, Cell, Statistics

Place = tuple[str, str, str]


class Intake(NamedTuple):
    """What an intake went through: every file found, the items made of them, the files refused, the label table.

    `quarantined`: files that wait for a person, by reason.
    """

    found: Sequence[Found]
    items: Sequence[Item]
    refused: Sequence[Refused]
    table: LabelTable
    quarantined: Mapping[str, int] = MappingProxyType({})


def summarise(info: DatasetInfo, intake: Intake) -> Statistics:
    """The statistics of a finished dataset."""
    refused = {entry.path for entry in intake.refused}
    facts = {file.path: file.facts for file in intake.found}
    used = [(item, facts[item.paths[0]]) for item in intake.items if refused.isdisjoint(item.paths)]
    is_volume = len(info.shape) == 4
    return Statistics(
        dataset=info.digest,
        unit="volume" if is_volume else "image",
        labels=info.labels,
        splits=tuple(info.splits),
        cells={dimension: _cells(used, info.labels, dimension) for dimension in (ALL, *DIMENSIONS)},
        files=len(intake.found),
        rows=intake.table.account(_grouped(intake.found, by_series=is_volume)),
        refusals=info.refusals,
        quarantine=dict(intake.quarantined),
    )


def _cells(used: Sequence[tuple[Item, Facts]], labels: Sequence[str], dimension: str) -> tuple[Cell, ...]:
    valued = [(item, "" if dimension == ALL else str(getattr(facts, dimension))) for item, facts in used]
    images: Counter[Place] = Counter((value, item.split, labels[item.label]) for item, value in valued)
    patients = _patients(valued, labels)
    return tuple(
        Cell(value=value, split=split, label=label, images=images[place], patients=patients[place])
        for place in sorted(images.keys() | patients.keys())
        for value, split, label in [place]
    )


def _patients(valued: Sequence[tuple[Item, str]], labels: Sequence[str]) -> Counter[Place]:
    values: Mapping[str, Counter[str]] = defaultdict(Counter)
    classes: Mapping[str, set[int]] = defaultdict(set)
    splits: dict[str, str] = {}
    for item, value in valued:
        values[item.patient][value] += 1
        classes[item.patient].add(item.label)
        splits[item.patient] = item.split
    return Counter(
        (
            min(values[patient], key=lambda value: (-values[patient][value], value)),
            splits[patient],
            labels[rarest],
        )
        for patient, rarest in strata(classes).items()
    )


def _grouped(found: Iterable[Found], *, by_series: bool) -> list[list[dict[str, str]]]:
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for file in found:
        if file.refused is None:
            groups[file.series if by_series else file.instance].append(file.label_keys)
    return list(groups.values())
