"""The label table, joined with images: a row is known by the most specific identifier that is filled in.

The rules:
- A row gives its label to every image that has its identifier: one instance, or all of a series, study, accession
  or patient.
- All rows that reach an image must agree, whatever their level; else the image is refused (`label-conflict`).
- A row's other identifiers must be the image's too; else the image is refused (`label-conflict`), because a table
  whose columns were sorted separately looks like this.
- A label that the recipe does not have refuses its images (`label-unknown`); upper and lower case are the same.
- An image that no row reaches is refused (`label-missing`).
- Identifiers are compared as they are written, without spaces around them: `0123` is not `123`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path

from wardround.csv_cells import write_rows
from wardround.imaging.label_file import KEY_COLUMNS, Row, read_rows
from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.splits import keyed

# A column and an identifier in it (or its keyed hash).
Key = tuple[str, str]
# An image's identifiers (or their keyed hashes) by column.
Identifiers = Mapping[str, str]

CONFLICT = -1
UNKNOWN = -2
# Under these names stand an image's identifiers without leading zeros, as a spreadsheet would have left them.
_ZEROS = {"accession": "accession without zeros", "patient": "patient without zeros"}


class Fate(StrEnum):
    """What became of a row. Every row has exactly one fate."""

    USED = "used"
    REPEATED = "repeats-another-row"
    SHIFTED = "more-cells-than-columns"
    NO_IDENTIFIER = "no-identifier"
    NO_LABEL = "no-label"
    UNKNOWN = "unknown-label"
    CONFLICT = "same-identifier-other-label"
    DISAGREES = "disagrees-with-a-row-of-another-level"
    CONTRADICTED = "other-identifiers-are-not-the-images"
    NO_IMAGE = "no-image"
    ZEROS = "no-image-leading-zeros-lost"


@dataclass(frozen=True)
class Said:
    """What the rows of one identifier say: a class index, CONFLICT or UNKNOWN; and how many rows they are.

    `beside`: the identifiers that stand in these rows in other columns.
    """

    label: int
    rows: int
    beside: Mapping[str, frozenset[str]]

    def contradicts(self, image: Identifiers) -> bool:
        """Whether an image has other identifiers than these rows."""
        return any(image.get(column) and image[column] not in legal for column, legal in self.beside.items())


@dataclass(frozen=True)
class LabelTable:
    """`said` by identifier, and the rows that say nothing by their fate."""

    said: Mapping[Key, Said]
    silent: Mapping[Fate, int]

    def hashed(self, key: bytes) -> "LabelTable":
        """The same table under keyed hashes, to be joined with what a scan has found."""

        def name(column: str, value: str) -> str:
            return keyed(key, f"label/{column}", value)

        said = {
            (column, name(column, value)): Said(
                each.label,
                each.rows,
                {
                    other: frozenset(name(other, one) for one in values)
                    for other, values in each.beside.items()
                },
            )
            for (column, value), each in self.said.items()
        }
        return LabelTable(said, self.silent)

    def class_of(self, images: Sequence[Identifiers]) -> int:
        """The class index of an item made of these images; raises Refusal if there is none."""
        reached = [(self.said[key], image) for image in images for key in self._keys(image)]
        found = {said.label for said, _ in reached}
        if not found:
            raise Refusal(Reason.LABEL_MISSING)
        if len(found) > 1 or CONFLICT in found or any(said.contradicts(image) for said, image in reached):
            raise Refusal(Reason.LABEL_CONFLICT)
        if UNKNOWN in found:
            raise Refusal(Reason.LABEL_UNKNOWN)
        return found.pop()

    def account(self, items: Iterable[Sequence[Identifiers]]) -> dict[str, int]:
        """How many rows had which fate, given the images of all items; the counts add up to the table's rows."""
        fates: dict[Key, Fate] = {}
        zeros: set[Key] = set()
        for images in items:
            reached = {key for image in images for key in self._keys(image)}
            zeros |= {
                (column, image[name]) for image in images for column, name in _ZEROS.items() if name in image
            }
            disagree = len({self.said[key].label for key in reached}) > 1
            for key in reached:
                contradicted = any(
                    self.said[key].contradicts(image) for image in images if key in image.items()
                )
                fate = Fate.CONTRADICTED if contradicted else Fate.DISAGREES if disagree else Fate.USED
                fates[key] = max(fate, fates.get(key, Fate.USED), key=_SEVERITY.index)
        counts = Counter(self.silent)
        for key, said in self.said.items():
            counts += _fates(said, fates.get(key, Fate.ZEROS if key in zeros else Fate.NO_IMAGE))
        return {fate.value: counts[fate] for fate in Fate if counts[fate]}

    def _keys(self, image: Identifiers) -> list[Key]:
        return [key for key in image.items() if key in self.said]


_SEVERITY = (Fate.USED, Fate.DISAGREES, Fate.CONTRADICTED)


def read_labels(path: Path, legal: Sequence[str], encoding: str = "utf-8") -> LabelTable:
    """Reads the table; `legal` are the labels, whose places are the class indices. Raises ConfigurationError."""
    silent: Counter[Fate] = Counter()
    rows: dict[Key, list[Row]] = defaultdict(list)
    for row in read_rows(path, encoding):
        fate = _silence(row)
        if fate is None:
            rows[row.identifiers[0]].append(row)
        else:
            silent[fate] += 1
    classes = _classes(legal)
    return LabelTable({key: _said(each, classes) for key, each in rows.items()}, silent)


def image_keys(identifiers: Identifiers, key: bytes) -> dict[str, str]:
    """The keyed hashes of an image's identifiers (by column; empty ones are left out), as a table's are hashed."""
    filled = {column: identifiers[column] for column in KEY_COLUMNS if identifiers.get(column)}
    bare = {
        name: (column, filled[column].lstrip("0"))
        for column, name in _ZEROS.items()
        if filled.get(column, "").startswith("0") and filled[column].isdecimal()
    }
    named = {column: (column, value) for column, value in filled.items()} | bare
    return {name: keyed(key, f"label/{column}", value) for name, (column, value) in named.items()}


def write_labels(path: Path, column: str, rows: Iterable[tuple[str, str]]) -> Path:
    """Writes a label table of (identifier, label) rows under one of the legal columns; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        write_rows(stream, [(column, "label"), *rows])
    return path


def _silence(row: Row) -> Fate | None:
    if row.shifted:
        return Fate.SHIFTED
    if not row.identifiers:
        return Fate.NO_IDENTIFIER
    return None if row.label else Fate.NO_LABEL


def _classes(legal: Sequence[str]) -> dict[str, int]:
    # Labels that differ in case only stay different.
    folded = Counter(map(str.casefold, legal))
    loose = {name.casefold(): place for place, name in enumerate(legal) if folded[name.casefold()] == 1}
    return loose | {name: place for place, name in enumerate(legal)}


def _said(rows: Sequence[Row], classes: Mapping[str, int]) -> Said:
    found = {classes.get(row.label, classes.get(row.label.casefold(), UNKNOWN)) for row in rows}
    beside: dict[str, set[str]] = defaultdict(set)
    for column, value in chain.from_iterable(row.identifiers[1:] for row in rows):
        beside[column].add(value)
    label = found.pop() if len(found) == 1 else CONFLICT
    return Said(label, len(rows), {column: frozenset(values) for column, values in beside.items()})


def _fates(said: Said, joined: Fate) -> Counter[Fate]:
    if said.label == CONFLICT:
        return Counter({Fate.CONFLICT: said.rows})
    if said.label == UNKNOWN:
        return Counter({Fate.UNKNOWN: said.rows})
    return Counter({joined: 1, Fate.REPEATED: said.rows - 1})
