"""Nothing about fewer than ten patients can be computed from the page that may leave a hospital.

The checker knows the published page only: it reads the tables from the HTML, writes down every sum that they state,
and asks a linear program how large and how small each hidden number can be.
"""

from collections import Counter, defaultdict
from functools import cached_property
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from wardround.imaging.statistics.facts import DIMENSIONS
from wardround.imaging.statistics.model import ALL, Cell, Statistics
from wardround.imaging.statistics.page_outside import outside_page
from wardround.imaging.statistics.pictures import BINS, Sample
from wardround.imaging.statistics.suppression import for_outside

LABELS = ("normal", "opacity", "effusion")
SPLITS = ("train", "validation", "test")

# How many patients share a split, label, view and year.
crowds = st.lists(
    st.tuples(
        st.sampled_from(SPLITS),
        st.sampled_from(LABELS),
        st.sampled_from(["AP", "PA", "LL", "other"]),
        st.sampled_from(["2009", "2010", "2011"]),
        st.one_of(st.integers(0, 12), st.integers(0, 60)),
    ),
    min_size=1,
    max_size=14,
)
Crowds = list[tuple[str, str, str, str, int]]
DARK = {(split, label): Sample([], np.arange(BINS), 5) for split in SPLITS for label in LABELS}


def statistics(crowds: Crowds, scanner: str = "Siemens · Skyra", **fields: object) -> Statistics:
    """Statistics of these crowds; every patient has three images."""
    cells = {}
    for dimension in (ALL, *DIMENSIONS):
        counts = Counter[tuple[str, str, str]]()
        for split, label, view, year, patients in crowds:
            value = {ALL: "", "view": view, "year": year, "scanner": scanner}.get(dimension, "not stated")
            counts[value, split, label] += patients
        cells[dimension] = tuple(
            Cell(value=value, split=split, label=label, images=3 * count, patients=count)
            for (value, split, label), count in sorted(counts.items())
        )
    return Statistics(
        dataset="0" * 64, unit="image", labels=LABELS, splits=SPLITS, cells=cells, files=9, **fields
    )


class Tables(HTMLParser):
    """All tables of a page: rows of cells' texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[list[list[str]]] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "table":
            self.found.append([])
        elif tag == "tr":
            self.found[-1].append([])
        elif tag in ("td", "th"):
            self.found[-1][-1].append("")
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found[-1][-1][-1] += data


class Attack:
    """All that the page says about its numbers, as equations; the unknowns are the numbers it hides."""

    def __init__(self, page: str) -> None:
        self.unknowns: dict[tuple[int, str, str], int] = {}
        self.shown: list[int] = []
        self._sums: dict[str, list[tuple[int, list[str]]]] = defaultdict(list)
        self._known: dict[tuple[int, str, str], int] = {}
        tables = [table for table in Tables(page).found if table[0][1:] == list(LABELS)]
        assert len(tables) == 1 + len(DIMENSIONS)
        for place, (head, *rows) in enumerate(tables):
            for name, *texts in rows:
                for label, text in zip(head[1:], texts, strict=True):
                    # The last row is the same in all tables.
                    self._note((-1 if name == "all" else place, name, label), text)
            for label in LABELS:
                self._sums[label].append((place, [row[0] for row in rows[:-1]]))

    def _note(self, key: tuple[int, str, str], text: str) -> None:
        if text == "·":
            self.unknowns.setdefault(key, len(self.unknowns))
        else:
            self.shown.append(int(text.replace(",", "")))
            assert self._known.setdefault(key, self.shown[-1]) == self.shown[-1]

    @cached_property
    def equations(self) -> tuple[np.ndarray, np.ndarray]:
        """In every table and column: the sum of its numbers is the one in the last row."""
        lines, sides = [], []
        for label, sums in self._sums.items():
            for place, names in sums:
                line, side = np.zeros(len(self.unknowns)), 0.0
                for each, sign in [((place, name, label), 1) for name in names] + [((-1, "all", label), -1)]:
                    if each in self.unknowns:
                        line[self.unknowns[each]] += sign
                    else:
                        side -= sign * self._known[each]
                lines.append(line)
                sides.append(side)
        return np.array(lines), np.array(sides)

    def bounds(self, key: tuple[int, str, str]) -> tuple[float, float]:
        """The least and the greatest that a hidden number can be."""
        lines, sides = self.equations
        objective = np.zeros(len(self.unknowns))
        objective[self.unknowns[key]] = 1
        found = [linprog(sign * objective, A_eq=lines, b_eq=sides, bounds=(0, None)) for sign in (1, -1)]
        assert found[0].status == 0 and found[1].status in (0, 3)
        return found[0].fun, np.inf if found[1].status == 3 else -found[1].fun


@given(crowds)
@hypothesis_settings(max_examples=25, deadline=None)
def test_no_number_below_ten_is_shown_or_can_be_computed(crowds: Crowds) -> None:
    attack = Attack(outside_page(for_outside(statistics(crowds)), DARK))
    assert all(number >= 10 for number in attack.shown)
    for key in attack.unknowns:
        least, greatest = attack.bounds(key)
        assert least < 9.5 and greatest > 9.5, f"{key} is between {least} and {greatest}"


def test_the_checker_finds_a_number_that_a_sum_gives_away() -> None:
    """What would happen without rule 4."""
    crowds = [("train", "normal", "AP", "2009", 40), ("train", "normal", "PA", "2009", 3)]
    careless = outside_page(for_outside(statistics(crowds)), DARK).replace(
        '<td>AP</td><td class="number">·</td>', '<td>AP</td><td class="number">40</td>'
    )
    attack = Attack(careless)
    (given_away,) = (key for key in attack.unknowns if key[1:] == ("all others", "normal") and key[0] == 2)
    assert attack.bounds(given_away) == (pytest.approx(3), pytest.approx(3))


def test_as_much_is_shown_as_the_rules_allow() -> None:
    crowds = [
        ("train", "normal", "AP", "2009", 40),
        ("test", "normal", "PA", "2009", 30),
        ("validation", "normal", "LL", "2009", 4),
        ("train", "opacity", "AP", "2010", 11),
        ("test", "effusion", "AP", "2010", 9),
    ]
    found = for_outside(statistics(crowds))
    view = found.tables["view"]
    assert view.sums == {"normal": 74, "opacity": 11, "effusion": None}
    assert view.rows == ("AP", "PA", "all others")
    # The four of LL would follow from the sum, so the smallest shown goes with them.
    assert view.cells["AP", "normal"] == 40 and view.cells["PA", "normal"] is None
    assert found.shows("train", "normal") and not found.shows("test", "effusion")


def test_files_are_hidden_below_ten_too() -> None:
    found = for_outside(
        statistics([], refusals={"blank": 9, "not-dicom": 10}, quarantine={"burned-in-text": 1})
    )
    assert found.refusals == {"blank": None, "not-dicom": 10} and found.quarantine == {"burned-in-text": None}
    page = outside_page(found, DARK)
    assert "Quarantine" in page and '<td>not dicom</td><td class="number">10</td>' in page


@pytest.mark.parametrize(
    ("scanner", "shown"),
    [
        ("Siemens · Miller room", "Siemens, model not listed"),
        ("Miller &amp; Sons · X", "other, model not listed"),
        ("not stated · Miller", "not stated, model not listed"),
        ("Miller", "other, model not listed"),
    ],
)
def test_what_a_device_calls_itself_stays_inside_unless_it_is_allowed(scanner: str, shown: str) -> None:
    found = statistics([("train", "normal", "AP", "2009", 40)], scanner)
    page = outside_page(for_outside(found), DARK)
    assert "Miller" not in page and shown in page
    assert "Miller" in outside_page(for_outside(found, [scanner]), DARK)


def test_brightness_is_drawn_only_where_the_number_of_patients_is_shown() -> None:
    found = for_outside(
        statistics(
            [
                ("train", "normal", "AP", "2009", 40),
                ("test", "normal", "AP", "2009", 40),
                ("train", "opacity", "AP", "2009", 9),
            ]
        )
    )
    assert outside_page(found, DARK).count("<polyline") == sum(
        found.shows(split, label) for split in SPLITS for label in LABELS
    )
    assert "<img" not in outside_page(found, DARK)
