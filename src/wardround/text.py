"""Text that another party wrote, made fit for a person's terminal, a log or a page."""

import unicodedata

_SHOWN = frozenset(("L", "N", "P", "S"))
# Categories So and Sk are shown; what changes the direction, joins, hides or moves (Cc, Cf, Co, Cn, Cs, Zl, Zp) is not.


def foreign(text: object, limit: int = 200) -> str:
    """The text on one line: what is no letter, mark, number, punctuation, symbol or plain space is written as `\\u{…}`,
    and more than `limit` characters are cut with `…`.

    Nothing in the result moves a cursor, changes direction or colour, or starts a line. It may hold markup of rich or
    HTML: whoever prints it with either still escapes it.
    """
    whole = str(text)
    shown = "".join(_shown(character) for character in whole[:limit])
    return shown + "…" if len(whole) > limit else shown


def _shown(character: str) -> str:
    category = unicodedata.category(character)
    if character == " " or category[0] in _SHOWN:
        return character
    return f"\\u{{{ord(character):x}}}"
