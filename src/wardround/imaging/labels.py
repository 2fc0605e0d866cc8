"""The label table: a CSV with one identifying column and a column `label`."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wardround.errors import ConfigurationError
from wardround.imaging.reasons import Reason, Refusal

# From the most specific: a table with several of them is joined on the first.
KEY_COLUMNS: Mapping[str, str] = {
    "sop_instance": "SOPInstanceUID",
    "series": "SeriesInstanceUID",
    "study": "StudyInstanceUID",
    "accession": "AccessionNumber",
    "patient": "PatientID",
}
CONFLICT = -1
UNKNOWN = -2


@dataclass(frozen=True)
class LabelTable:
    """`column` is the identifying column; `classes` maps an identifier to a class index, CONFLICT or UNKNOWN."""

    column: str
    classes: Mapping[str, int]

    @property
    def keyword(self) -> str:
        """The DICOM keyword of the identifying column."""
        return KEY_COLUMNS[self.column]

    def class_of(self, identifiers: set[str]) -> int:
        """The class index of an image or series known by these identifiers; raises Refusal if there is none."""
        found = {self.classes[name] for name in identifiers if name in self.classes}
        if not found:
            raise Refusal(Reason.LABEL_MISSING)
        if len(found) > 1 or CONFLICT in found:
            raise Refusal(Reason.LABEL_CONFLICT)
        if UNKNOWN in found:
            raise Refusal(Reason.LABEL_UNKNOWN)
        return found.pop()


def read_labels(path: Path, legal: tuple[str, ...]) -> LabelTable:
    """Reads the table; delimiter comma, semicolon or tab, header names in any case.

    An identifier with two different labels is kept as a conflict, a label outside `legal` as unknown: their
    images are refused one by one. Raises ConfigurationError if a needed column is missing or the file is no CSV.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            header = stream.readline()
            stream.seek(0)
            delimiter = max(",;\t", key=header.count)
            return _table(csv.reader(stream, delimiter=delimiter), path, legal)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(
            f"label table {path.name} cannot be read as UTF-8 CSV ({type(error).__name__})"
        ) from error


def write_labels(path: Path, column: str, rows: Iterable[tuple[str, str]]) -> Path:
    """Writes a label table of (identifier, label) rows under one of the legal columns; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([(column, "label"), *rows])
    return path


def _table(rows: Iterator[list[str]], path: Path, legal: tuple[str, ...]) -> LabelTable:
    header = [name.strip().lower() for name in next(rows, [])]
    column = next((name for name in KEY_COLUMNS if name in header), None)
    if column is None or "label" not in header:
        raise ConfigurationError(
            f"label table {path.name} has the columns {header}; it needs `label` and one of {', '.join(KEY_COLUMNS)}"
        )
    key_at, label_at = header.index(column), header.index("label")
    index = {name: place for place, name in enumerate(legal)}
    classes: dict[str, int] = {}
    for row in rows:
        if len(row) > max(key_at, label_at) and row[key_at].strip():
            name, found = row[key_at].strip(), index.get(row[label_at].strip(), UNKNOWN)
            classes[name] = found if classes.get(name, found) == found else CONFLICT
    return LabelTable(column, classes)
