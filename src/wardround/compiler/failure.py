"""What the compiler tells the data scientist instead of a traceback."""

import re
import traceback
from collections.abc import Iterator
from pathlib import Path

_LONGEST = 300


class CompilerFailure(Exception):
    """The recipe can't be compiled; the message says what to change."""


def explain(error: BaseException, folder: Path) -> str:
    """One sentence: what the compiler said first; of any other error, where it arose in the user's files and what it is.

    Keras and TensorFlow raise an error again at each level, with more text around it; the first one says what is wrong.
    """
    chain = list(_chain(error))
    for each in reversed(chain):
        if isinstance(each, CompilerFailure):
            return str(each)
    first = chain[-1]
    said = f"{type(first).__name__}: {_first_line(str(first))}"
    place = _place("".join(traceback.format_exception(error)), folder)
    return f"{place}: {said}" if place else f"TensorFlow Federated can't make a plan of this recipe ({said})"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those that led to it."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _place(text: str, folder: Path) -> str:
    """`file.py:12`, the last place in a file of the folder that a traceback names; empty if it names none."""
    places = re.findall(rf'File "{re.escape(str(folder))}/([^"]+)", line ([0-9]+)', text)
    return ":".join(places[-1]) if places else ""


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = lines[0] if lines else "it says nothing"
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
