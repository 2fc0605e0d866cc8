"""The tables that may leave a hospital: nothing in them, or computed from them, is about fewer than ten patients.

They count patients, each once, because ten images may be of one patient. A table has values in rows and labels in
columns, and publishes the sum of each column, for it is the same in all tables. The rules:

1. A label with fewer than 10 patients is hidden with all its cells.
2. Values that only have cells below 10 become one row, `all others`.
3. A cell below 10 is hidden; 0 is below 10 too.
4. If a column hides one cell only, or hides less than 10 patients in all, its smallest shown cell is hidden as well.

Rows have no sums. So what is known of a column's hidden cells is their sum R >= 10 alone, and as they are two or more,
each of them can be any number from 0 to R: none can be computed, nor be told to be small. That is the protection
against arithmetic with these pages (cell suppression, e.g. Willenborg and de Waal, Elements of Statistical Disclosure
Control, 2001, chapter 5). It is none against somebody who knows some of the patients, or who can subtract two pages
from each other: of one hospital's patients only one page should leave.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from wardround.imaging.statistics.facts import DIMENSIONS
from wardround.imaging.statistics.model import Statistics
from wardround.imaging.statistics.vocabulary import NOT_STATED, OTHER, VENDORS

SMALLEST = 10
ALL_OTHERS = "all others"
SPLIT = "split"
_NO_MODEL = "model not listed"

# value, label → patients
Counts = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class Table:
    """Patients by value (rows) and label; None is hidden. `sums`: patients by label."""

    rows: tuple[str, ...]
    cells: Mapping[tuple[str, str], int | None]
    sums: Mapping[str, int | None]


@dataclass(frozen=True)
class Outside:
    """What may be shown elsewhere: tables by dimension, and counts of files by reason (None: fewer than 10)."""

    labels: tuple[str, ...]
    tables: Mapping[str, Table]
    refusals: Mapping[str, int | None]
    quarantine: Mapping[str, int | None]

    def shows(self, split: str, label: str) -> bool:
        """Whether the count of a split and label is shown."""
        return self.tables[SPLIT].cells.get((split, label)) is not None


def for_outside(found: Statistics, devices: Collection[str] = ()) -> Outside:
    """The tables that may leave. `devices`: scanners, as the own report names them, whose models may be named."""
    counted = {dimension: _by_value(found, dimension) for dimension in DIMENSIONS}
    counted["scanner"] = _without_models(counted["scanner"], devices)
    tables = {
        dimension: _protected(_pooled(counts, found.labels), found.labels)
        for dimension, counts in counted.items()
    }
    splits = Counter[tuple[str, str]]()
    for (_, split, label), patients in found.patients().items():
        splits[split, label] += patients
    complete = {(split, label): splits[split, label] for split in found.splits for label in found.labels}
    return Outside(
        labels=found.labels,
        tables={SPLIT: _protected(complete, found.labels), **tables},
        refusals={reason: _at_least(count) for reason, count in found.refusals.items()},
        quarantine={reason: _at_least(count) for reason, count in found.quarantine.items()},
    )


def _by_value(found: Statistics, dimension: str) -> Counter[tuple[str, str]]:
    counts = Counter[tuple[str, str]]()
    for (value, _, label), patients in found.patients(dimension).items():
        counts[value, label] += patients
    return counts


def _without_models(counts: Counts, devices: Collection[str]) -> Counter[tuple[str, str]]:
    named = Counter[tuple[str, str]]()
    for (scanner, label), patients in counts.items():
        named[scanner if scanner in devices else _vendor(scanner), label] += patients
    return named


def _vendor(scanner: str) -> str:
    maker = scanner.partition(" · ")[0]
    return f"{maker if maker in {*VENDORS, NOT_STATED} else OTHER}, {_NO_MODEL}"


def _pooled(counts: Counts, labels: Iterable[str]) -> dict[tuple[str, str], int]:
    values = sorted({value for value, _ in counts})
    small = {value for value in values if all(counts.get((value, label), 0) < SMALLEST for label in labels)}
    pooled: dict[tuple[str, str], int] = defaultdict(int)
    for value in sorted(values, key=lambda value: (value in small, value == NOT_STATED, value)):
        for label in labels:
            pooled[ALL_OTHERS if value in small else value, label] += counts.get((value, label), 0)
    return dict(pooled)


def _protected(counts: Counts, labels: Iterable[str]) -> Table:
    rows = tuple(dict.fromkeys(value for value, _ in counts))
    cells: dict[tuple[str, str], int | None] = {}
    sums: dict[str, int | None] = {}
    for label in labels:
        column = {value: counts[value, label] for value in rows}
        sums[label] = _at_least(sum(column.values()))
        hidden = _hidden(column)
        cells |= {(value, label): None if value in hidden else count for value, count in column.items()}
    return Table(rows, cells, sums)


def _hidden(column: Mapping[str, int]) -> set[str]:
    hidden = {value for value, count in column.items() if count < SMALLEST}
    shown = sorted(column.keys() - hidden, key=lambda value: (column[value], value))
    if hidden and shown and (len(hidden) == 1 or sum(column[value] for value in hidden) < SMALLEST):
        hidden.add(shown[0])
    return hidden


def _at_least(count: int) -> int | None:
    return count if count >= SMALLEST else None
