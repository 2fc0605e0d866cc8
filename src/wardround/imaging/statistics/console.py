"""The statistics on a terminal."""

from collections import Counter

from rich.console import Group
from rich.table import Table as Grid

from wardround.imaging.statistics.model import Statistics
from wardround.imaging.statistics.page_outside import number
from wardround.imaging.statistics.remarks import remarks
from wardround.imaging.statistics.suppression import SPLIT, Outside
from wardround.text import for_rich


def own_view(found: Statistics) -> Group:
    """Images and patients by label and split, what was left out, and what is worth a look."""
    images, patients = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for (_, split, label), count in found.images().items():
        images[split, label] += count
    for (_, split, label), count in found.patients().items():
        patients[split, label] += count
    grid = _grid(f"{found.unit.capitalize()}s (patients)", ("split", *found.labels))
    for split in found.splits:
        cells = (f"{images[split, label]:,} ({patients[split, label]:,})" for label in found.labels)
        grid.add_row(split, *cells)
    said = (for_rich(f"- {remark}", 2000) for remark in remarks(found))
    lists = (("Not used", "files", found.refusals), ("Quarantine", "files", found.quarantine))
    counts = (_counts(*each) for each in (*lists, ("Label table", "rows", found.rows)) if each[2])
    return Group(grid, *counts, *said)


def outside_view(found: Outside) -> Group:
    """Patients by label and split, as far as they may leave."""
    table = found.tables[SPLIT]
    grid = _grid("Patients, as they may leave", ("split", *found.labels))
    for split in table.rows:
        grid.add_row(split, *(number(table.cells[split, label]) for label in found.labels))
    return Group(grid)


def _counts(title: str, counted: str, counts: dict[str, int]) -> Grid:
    grid = _grid(title, ("", counted))
    for code, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        grid.add_row(for_rich(code.replace("-", " ")), f"{count:,}")
    return grid


def _grid(title: str, head: tuple[str, ...]) -> Grid:
    grid = Grid(title=for_rich(title), title_justify="left")
    for place, name in enumerate(head):
        grid.add_column(for_rich(name), justify="right" if place else "left")
    return grid
