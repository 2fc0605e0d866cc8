"""Reading a label table's file: whatever a spreadsheet made of it becomes rows, or an error that says what to do.

No message quotes a cell, for cells hold identifiers; lines are told by number.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from wardround.csv_cells import plain
from wardround.errors import ConfigurationError
from wardround.limited import read_limited

# From the most specific. The order decides which identifier of a row counts.
KEY_COLUMNS: Mapping[str, str] = {
    "sop_instance": "SOPInstanceUID",
    "series": "SeriesInstanceUID",
    "study": "StudyInstanceUID",
    "accession": "AccessionNumber",
    "patient": "PatientID",
}
_LABEL = "label"
# A column may be called by the DICOM keyword too; case, spaces, hyphens and underscores make no difference.
_SPELLINGS = {
    **{name.replace("_", ""): name for name in (*KEY_COLUMNS, _LABEL)},
    **{keyword.lower(): name for name, keyword in KEY_COLUMNS.items()},
}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Two million rows of a SOP instance UID and a label; what a row of the longest cells, and a header of all columns, take.
MAX_BYTES, MAX_ROWS, MAX_ROW, MAX_COLUMNS = 256 << 20, 2_000_000, 1 << 20, 1000
# What spreadsheets write for a number that is too long for its cell.
_SHORTENED = re.compile(r"\d([.,]\d+)?E\+\d{2,}", re.IGNORECASE)


class Row(NamedTuple):
    """One row: its identifiers by column, most specific first (stripped, none empty), its label (stripped).

    `shifted`: it has more cells than the header, so that nobody knows which cell is which.
    """

    identifiers: tuple[tuple[str, str], ...]
    label: str
    shifted: bool


def read_rows(path: Path, encoding: str) -> list[Row]:
    """All rows that are not blank; delimiter comma, semicolon or tab.

    A byte order mark overrides `encoding`; of cells that `csv_cells` has written, what they stand for is taken. Raises
    ConfigurationError if the file is no such table, is larger than one can be (MAX_…), lacks a column or has one twice,
    or if a spreadsheet has shortened its identifiers.
    """
    text = _decoded(path, encoding)
    lines, delimiter = _delimited(text)
    measured = _Lines(lines, path)
    reader = csv.reader(measured, delimiter=delimiter, strict=True)
    try:
        places, width = _columns(next(reader, []), path)
        return [_row(cells, places, width, path, line) for line, cells in _filled(reader, measured)]
    except csv.Error as error:
        raise ConfigurationError(
            f"label table {path.name} cannot be read from line {reader.line_num} on; is a quotation mark left open?"
        ) from error


def _decoded(path: Path, encoding: str) -> str:
    raw = read_limited(path, MAX_BYTES, "label table")
    chosen = next((name for mark, name in _BOMS if raw.startswith(mark)), encoding)
    try:
        text = raw.decode(chosen)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"line {line} of label table {path.name} is not {chosen.upper()}; save it as CSV in UTF-8, "
            "or say which encoding it has (often cp1252)"
        ) from error
    if "\0" in text:
        raise ConfigurationError(f"label table {path.name} is not text; save it as CSV in UTF-8")
    return text


def _delimited(text: str) -> tuple[io.StringIO, str]:
    header = text.partition("\n")[0].strip()
    # Spreadsheets of some countries write their delimiter into a line of its own before the header.
    if re.fullmatch(r"sep=[,;\t]?", header, re.IGNORECASE):
        return io.StringIO(text.partition("\n")[2], newline=""), header[4:] or "\t"
    return io.StringIO(text, newline=""), max(",;\t", key=header.count)


class _Lines:
    """Lines for a csv reader, which keeps a row of any length: a quotation mark left open takes all that follows."""

    def __init__(self, lines: Iterable[str], path: Path) -> None:
        self._lines, self._path = iter(lines), path
        self._size = self._rows = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self._size += len(line)
            if self._size > MAX_ROW:
                raise ConfigurationError(
                    f"row {self._rows + 1} of label table {self._path.name} has more than {MAX_ROW:,} characters; "
                    "is a quotation mark left open?"
                )
            yield line

    def next_row(self) -> None:
        """Says that the reader has made a row of what it has taken."""
        self._size, self._rows = 0, self._rows + 1
        if self._rows > MAX_ROWS:
            raise ConfigurationError(
                f"label table {self._path.name} has more than {MAX_ROWS:,} rows; leave out those without an image here"
            )


def _columns(header: list[str], path: Path) -> tuple[dict[str, int], int]:
    if len(header) > MAX_COLUMNS:
        raise ConfigurationError(
            f"label table {path.name} has {len(header):,} columns, and {MAX_COLUMNS:,} are legal; "
            "is it a table of labels?"
        )
    named = [_SPELLINGS.get(re.sub(r"[\s_-]", "", name).lower()) for name in header]
    twice = sorted({name for name in named if name and named.count(name) > 1})
    if twice:
        raise ConfigurationError(f"label table {path.name} has the column {', '.join(twice)} more than once")
    places = {name: named.index(name) for name in (*KEY_COLUMNS, _LABEL) if name in named}
    # The header is not quoted: where it is missing, the first line holds a patient.
    if _LABEL not in places or len(places) < 2:
        raise ConfigurationError(
            f"the first line of label table {path.name} names {', '.join(places) or 'no known column'}; "
            f"it needs `label` and at least one of {', '.join(KEY_COLUMNS)}"
        )
    return places, len(header)


def _filled(reader: Iterator[list[str]], lines: _Lines) -> Iterator[tuple[int, list[str]]]:
    lines.next_row()  # the header
    for line, cells in enumerate(reader, 2):
        lines.next_row()
        if any(map(str.strip, cells)):
            yield line, cells


def _row(cells: list[str], places: Mapping[str, int], width: int, path: Path, line: int) -> Row:
    shifted = any(map(str.strip, cells[width:]))
    found = {name: plain(cells[place].strip()) for name, place in places.items() if place < len(cells)}
    identifiers = tuple((name, found[name]) for name in KEY_COLUMNS if found.get(name))
    shortened = [name for name, value in identifiers if _SHORTENED.fullmatch(value)]
    if shortened and not shifted:
        raise ConfigurationError(
            f"row {line} of label table {path.name} has a number in column {shortened[0]} that a spreadsheet has "
            "shortened (like 1.23E+10), so its digits are lost. Export it again with that column formatted as text"
        )
    return Row(identifiers, found.get(_LABEL, ""), shifted)
