"""What a radiologist should look at before anything is trained, said in sentences."""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from wardround.imaging.labels import Fate
from wardround.imaging.statistics.facts import DIMENSIONS
from wardround.imaging.statistics.model import Statistics
from wardround.imaging.statistics.vocabulary import NOT_STATED

# With fewer patients of a label, an AUROC of 0.8 has a 95 % interval wider than ±0.15 (Hanley and McNeil 1982).
FEW = 10
# Between Cohen's "small" 0.1 and "medium" 0.3 (Statistical Power Analysis, 1988, section 7.2).
_ASSOCIATED = 0.2
_ENOUGH = 20
_MANY_REFUSED = 0.1

_ADVICE: Mapping[Fate, str] = {
    Fate.ZEROS: "no image, but there is one with leading zeros; format the column as text and export it again",
    Fate.CONTRADICTED: "the identifiers are of different images; perhaps a column was sorted without the others",
    Fate.CONFLICT: "one identifier has different labels, so its images are not used",
    Fate.DISAGREES: "another row says otherwise (a series' and its study's), so the images are not used",
    Fate.UNKNOWN: "the label is not one of the recipe's",
    Fate.SHIFTED: "more cells than the table has columns; perhaps a delimiter is not quoted",
    Fate.NO_IMAGE: "no image has the identifier",
}


def remarks(found: Statistics) -> list[str]:
    """Sentences on splits, on labels that go together with something else, on refusals and on the label table."""
    return [*_thin(found), *_associations(found), *_refused(found), *_rows(found)]


def association(table: np.ndarray) -> float:
    """Cramér's V of a table of counts [values, labels] without its bias (Bergsma 2013, equations 2 to 5), 0 to 1.

    0 where a margin leaves nothing to compare. Chance alone gives about 0, however many values there are.
    """
    table = table[table.sum(1) > 0][:, table.sum(0) > 0].astype(float)
    if min(table.shape) < 2:
        return 0.0
    total = table.sum()
    expected = np.outer(table.sum(1), table.sum(0)) / total
    squared = (((table - expected) ** 2) / expected).sum() / total
    sides = np.array(table.shape)
    squared = max(0.0, squared - np.prod(sides - 1) / (total - 1))
    return float(np.sqrt(squared / (sides - (sides - 1) ** 2 / (total - 1) - 1).min()))


def _thin(found: Statistics) -> Iterator[str]:
    patients = Counter[tuple[str, str]]()
    for (_, split, label), count in found.patients().items():
        patients[split, label] += count
    images = {(split, label) for (_, split, label), count in found.images().items() if count}
    for split in found.splits:
        few = []
        for label in found.labels:
            if (split, label) not in images:
                yield f"No {found.unit} of “{label}” is in the {split} split: no AUROC can be given there."
            elif split != "train" and patients[split, label] < FEW:
                few.append(f"{patients[split, label]} with “{label}”")
        if few:
            yield f"Few patients in the {split} split: {', '.join(few)}. Figures there will be uncertain."


def _associations(found: Statistics) -> Iterator[str]:
    for dimension in DIMENSIONS:
        counts = Counter[tuple[str, str]]()
        for (value, _, label), patients in found.patients(dimension).items():
            if value != NOT_STATED:
                counts[value, label] += patients
        values = sorted({value for value, _ in counts})
        table = np.array([[counts[value, label] for label in found.labels] for value in values])
        if counts.total() >= _ENOUGH and association(table) >= _ASSOCIATED:
            yield _together(dimension, values, table, found)


def _together(dimension: str, values: list[str], table: np.ndarray, found: Statistics) -> str:
    shares = table / np.maximum(table.sum(0), 1)
    place = int(np.argmax(np.ptp(shares, axis=1)))
    told = ", ".join(f"{shares[place, at]:.0%} of “{label}”" for at, label in enumerate(found.labels))
    return (
        f"Label and {dimension} go together (Cramér's V {association(table):.2f}): “{values[place]}” are {told}. "
        f"A model may learn the {dimension} instead of the finding."
    )


def _refused(found: Statistics) -> Iterator[str]:
    refused = sum(found.refusals.values())
    if found.files and refused / found.files > _MANY_REFUSED:
        yield f"{refused:,} of {found.files:,} files are not used; the reasons are below."


def _rows(found: Statistics) -> Iterator[str]:
    for fate, advice in _ADVICE.items():
        if count := found.rows.get(fate.value):
            yield f"Label table, {count:,} of {sum(found.rows.values()):,} rows: {advice}."
