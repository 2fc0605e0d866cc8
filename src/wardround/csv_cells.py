"""Tables for spreadsheets: no cell that another party wrote becomes a formula, and no cell becomes two lines.

A spreadsheet computes a cell that begins with `=`, `+`, `-` or `@`, also behind spaces and quotation marks, and in East
Asian editions in their other widths. It may take another delimiter than the file's. So `'` is put before such a cell,
and before such a character behind a delimiter (OWASP, CSV Injection); tabs, line breaks and all else that is not shown
is written as `\\u{…}`.
"""

import csv
import re
from collections.abc import Iterable
from typing import TextIO

from wardround.text import for_cell

# Longer than a path can be (Linux: 4096 bytes); all of a name is needed to find its file.
_LIMIT = 1 << 16
# The signs themselves, full width, small, superscript, subscript, and the minus sign.
_SIGNS = "[-=+@＝＋－＠﹦﹢﹣﹫⁼⁺⁻₌₊₋−]"
_QUOTES = "[ '\"’‘“”`]*"
_BEGINS = re.compile(f"{_QUOTES}{_SIGNS}")
_FOLLOWS = re.compile(f"([;,|]{_QUOTES})(?={_SIGNS})")
_FOLLOWED = re.compile(f"([;,|]{_QUOTES})'(?={_SIGNS})")


def write_rows(stream: TextIO, rows: Iterable[Iterable[object]]) -> None:
    """Writes rows of cells as CSV (RFC 4180); the file is to be opened with `newline=""`."""
    csv.writer(stream).writerows([cell(each) for each in row] for row in rows)


def cell(value: object) -> str:
    """A value as it is written."""
    text = _FOLLOWS.sub(r"\1'", for_cell(value, _LIMIT))
    return f"'{text}" if _BEGINS.match(text) else text


def plain(text: str) -> str:
    """What a written cell stands for: `plain(cell(text))` is `text` where that is on one line and all of it is shown."""
    bare = text[1:] if text.startswith("'") and _BEGINS.match(text) else text
    return _FOLLOWED.sub(r"\1", bare)
