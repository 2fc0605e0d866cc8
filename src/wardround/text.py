"""Text that another party wrote, made fit for a person's terminal, a log or a page: the one sanitizer of foreign text.

What is shown is chosen by Unicode's general category, not by a list of what is known to harm: letters, digits,
punctuation, symbols, the plain space, and marks that stand on a letter. All else appears as `\\u{…}`:

- controls (Cc: ESC and the C1 controls move a cursor, change colours, set a window's title), formats (Cf: bidi controls
  and isolates, UAX #9 section 2; zero-width characters, BOM, soft hyphen, tags), line and paragraph separators, every
  space but U+0020 and a space after a space (which pushes text out of sight), private use, surrogates, unassigned;
- what has another category and is still invisible: the rest of Default_Ignorable_Code_Point (UAX #44, table 9: Hangul
  fillers, variation selectors, combining grapheme joiner) and the two blank symbols;
- more than four marks on one letter, the same mark twice running (UTS #39, section 5.4), enclosing marks, and marks that
  would stand on what we print before them;
- right-to-left characters on a terminal or in a log, for they turn the order of what we print around them (UAX #9, rules
  N1 and N2; UTS #55, section 4.1: only isolation stops that, and a terminal has none). Pages isolate them instead;
- the characters that our tables are drawn with (U+2500 to U+257F): they would forge columns.

Letters that look like others stay (UTS #39 section 4 is about identifiers; ours are ASCII by their own patterns).
"""

import html
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

LIMIT = 200
_MESSAGE_LIMIT = 8000
_SHOWN = frozenset(("L", "N", "P", "S"))
_MARKS = frozenset(("Mn", "Mc"))
_MARKS_IN_A_ROW = 4
_RIGHT_TO_LEFT = frozenset(("R", "AL", "AN"))
_INVISIBLE = (
    (0x34F, 0x34F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0x1D159, 0x1D159),
    (0xE0000, 0xE0FFF),
)
_DRAWING = (0x2500, 0x257F)


def foreign(text: object, limit: int = LIMIT) -> str:
    """The text on one line of at most `limit` columns, cut with `…`; see above for what is shown of it.

    Nothing in the result moves a cursor, changes direction or colour, hides, or starts a line. It may hold markup of
    rich or HTML: `for_rich` and `for_html` are for those.
    """
    return _line(str(text), limit, right_to_left=False)


def for_rich(text: object, limit: int = LIMIT) -> "Text":
    """`foreign` as a cell, title or line of rich, which reads no markup and no emoji code in it."""
    from rich.text import Text

    return Text(foreign(text, limit))


def for_attribute(text: object, limit: int = LIMIT) -> str:
    """`foreign`, escaped for a quoted attribute's value, a `<title>` and SVG, where nothing can be isolated."""
    return html.escape(foreign(text, limit))


def for_html(text: object, limit: int = 10 * LIMIT) -> str:
    """`foreign` for the content of an HTML element, escaped.

    Right-to-left text stays as it is, isolated by `<bdi>` from what stands around it: so not for attributes and SVG.
    """
    shown = html.escape(_line(str(text), limit, right_to_left=True))
    return f"<bdi>{shown}</bdi>" if any(map(_is_right_to_left, shown)) else shown


def for_cell(text: object, limit: int = LIMIT) -> str:
    """`foreign` for a cell of a table that programs read (`csv_cells`): right-to-left letters and all spaces stay."""
    return _line(str(text), limit, right_to_left=True, spaces=True)


def is_plain(text: str, limit: int = LIMIT) -> bool:
    """Whether all of a text is shown as it is, on pages at least (right-to-left letters are legal)."""
    return _line(text, limit, right_to_left=True) == text


def message(text: object) -> str:
    """One line of our own words, in which something foreign may have been quoted: nothing in it does anything.

    For what prints errors and log lines. Of at most 8,000 columns; spaces stay as they are.
    """
    return _line(str(text), _MESSAGE_LIMIT, right_to_left=False, spaces=True)


def message_lines(text: object) -> str:
    """`message` for errors with a line for each mistake: further lines are indented, so that none passes for a first."""
    return "\n  ".join(message(line) for line in str(text)[:_MESSAGE_LIMIT].split("\n"))


def _line(text: str, limit: int, *, right_to_left: bool, spaces: bool = False) -> str:
    shown: list[str] = []
    columns = 0
    for part in _parts(text[: limit + 1], right_to_left, spaces):
        columns += _width(part)
        shown.append(part)
        if columns > limit:
            return _cut(shown, limit)
    return "".join(shown)


def _cut(shown: list[str], limit: int) -> str:
    columns = sum(map(_width, shown))
    while shown and columns > max(limit - 1, 0):
        columns -= _width(shown.pop())
    return "".join(shown) + "…"


def _parts(text: str, right_to_left: bool, spaces: bool) -> Iterator[str]:
    before, marks = "", 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in _MARKS else 0
        legal = _stands(category, character, before, marks) and (
            right_to_left or not _is_right_to_left(character)
        )
        if character == " ":
            legal = spaces or before != " "
        yield character if legal else f"\\u{{{ord(character):x}}}"
        before = character if legal else ""


def _stands(category: str, character: str, before: str, marks: int) -> bool:
    if _is_drawn_or_invisible(ord(character)):
        return False
    if category in _MARKS:
        base = before != "" and unicodedata.category(before)[0] in "LMN"
        return base and marks <= _MARKS_IN_A_ROW and before != character
    return category[0] in _SHOWN


def _is_drawn_or_invisible(code: int) -> bool:
    if code < _INVISIBLE[0][0]:
        return False
    return _DRAWING[0] <= code <= _DRAWING[1] or any(first <= code <= last for first, last in _INVISIBLE)


def _is_right_to_left(character: str) -> bool:
    return unicodedata.bidirectional(character) in _RIGHT_TO_LEFT


def _width(part: str) -> int:
    return 2 if len(part) == 1 and unicodedata.east_asian_width(part) in "WF" else len(part)
