"""No cell that somebody else wrote is a formula, in any table, however it is opened."""

import csv
import io
import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from wardround.csv_cells import cell, plain, write_rows
from wardround.imaging.items import Refused
from wardround.imaging.label_file import read_rows
from wardround.imaging.labels import write_labels
from wardround.imaging.reasons import Reason
from wardround.imaging.sources.archive import Parcel, Unfetched
from wardround.imaging.sources.errors import Why
from wardround.imaging.sources.spool import Spool
from wardround.imaging.workspace import REFUSALS, read_refusals, write_refusals
from wardround.text import for_cell

# What a spreadsheet may take for the beginning of a formula, in the width of any script.
SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫−"
ATTACKS = [
    "=cmd|'/C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1,1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    '"=1',
    "'=1",
    "“=1",
    "\u200b=1",
    "\ufeff=1",
    "\u00a0=1",
    "\u3000＝1",
    "＝1",
    "a;=1",
    'a";=1',
    "a,=1",
    "a\n=1",
    "a\r\n=1,2",
    "\0=1",
    "\udcff=1",
    "\u202e=1",
]
FOREIGN = st.text(
    st.one_of(st.characters(), st.sampled_from(SIGNS + "'\"“ \t\r\n;,|\0\u200b\udc80")), max_size=40
)


def begins_a_formula(text: str) -> bool:
    """As a spreadsheet might: spaces and what is not seen don't count."""
    seen = [each for each in text if unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp")]
    return bool(seen) and unicodedata.normalize("NFKC", seen[0])[0] in "=+-@−"


def written(rows: list[list[str]]) -> str:
    stream = io.StringIO(newline="")
    write_rows(stream, rows)
    return stream.getvalue()


@given(st.lists(st.lists(FOREIGN, min_size=1, max_size=4), max_size=4))
def test_whatever_stands_in_a_table_no_cell_begins_a_formula(rows: list[list[str]]) -> None:
    table = written(rows)
    parsed = list(csv.reader(io.StringIO(table, newline=""), strict=True))
    assert [len(row) for row in parsed] == [len(row) for row in rows]
    assert not any(begins_a_formula(each) for row in parsed for each in row)
    assert len(table.split("\r\n")) == len(rows) + 1 and all(
        each.isprintable() for each in table.split("\r\n")
    )
    table.encode()  # strictly: no half of a pair, no stray byte


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_another_delimiter_makes_no_formula_either(attack: str, delimiter: str) -> None:
    (row,) = csv.reader(io.StringIO(written([[attack, "x", attack]]), newline=""), delimiter=delimiter)
    assert not any(begins_a_formula(each.strip(" \"'")) and not each.startswith("'") for each in row)
    assert not any(begins_a_formula(each) for each in row)


@example("شعاعي  = ראש;-1")
@given(
    st.text(st.characters(categories=("L", "N", "P", "S")) | st.sampled_from(SIGNS + " ';,|\""), max_size=40)
)
def test_what_was_written_is_read_as_it_was(text: str) -> None:
    assume(for_cell(text) == text)
    assert plain(cell(text)) == text


@pytest.mark.parametrize("attack", [*(each for each in ATTACKS if "\0" not in each), "=1.dcm", "-x/=y.dcm"])
def test_names_of_refused_files_are_no_formulas_and_can_be_found_again(attack: str, tmp_path: Path) -> None:
    write_refusals(tmp_path, [Refused(path=attack, reason=Reason.EMPTY)])
    header, row = csv.reader((tmp_path / REFUSALS).open(encoding="utf-8", newline=""))
    assert header[0] == "file" and len(row) == 4
    assert not begins_a_formula(row[0])
    assert read_refusals(tmp_path) == {"file", cell(attack)}


def test_identifiers_of_an_archive_are_no_formulas(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.write_unfetched([Unfetched(Parcel("0" * 32, attack), Why.MISSING) for attack in ATTACKS])
    rows = list(csv.reader((tmp_path / "unfetched.csv").open(encoding="utf-8", newline="")))
    assert len(rows) == len(ATTACKS) + 1
    assert not any(begins_a_formula(each) for row in rows for each in row)


def test_a_label_table_that_was_written_so_is_joined_as_before(tmp_path: Path) -> None:
    rows = [("-12", "=opacity"), ("@7", "normal"), ("' 8", "a;-b")]
    path = write_labels(tmp_path / "labels.csv", "patient", rows)
    assert not any(begins_a_formula(each) for row in csv.reader(path.open(newline="")) for each in row)
    assert [(row.identifiers[0][1], row.label) for row in read_rows(path, "utf-8")] == rows


def test_a_name_that_is_no_utf_8_is_listed_in_utf_8(tmp_path: Path) -> None:
    name = os.fsdecode(b"=\xff\n\x1b[31m.dcm")
    write_refusals(tmp_path, [Refused(path=name, reason=Reason.EMPTY)])
    assert (
        (tmp_path / REFUSALS)
        .read_text("utf-8")
        .splitlines()[1]
        .startswith("'=\\u{dcff}\\u{a}\\u{1b}[31m.dcm,")
    )
