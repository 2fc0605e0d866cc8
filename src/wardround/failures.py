"""What is said of an error that a library raised: its class and where it happened, never its words.

A library's words quote what it worked on. TensorFlow's hold whole tensors, equal to the last bit; pydicom's hold a
patient's name; an HTTP client's hold addresses with their credentials. So they are shown to nobody whom they could reach
by a log, a message or a page; `wardround.private_process` keeps them in a file where the hospital wants that.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from wardround.errors import WardroundError
from wardround.text import foreign

_CHAIN = 3
_OURS = ("wardround", "__main__")


class LibraryError(WardroundError):
    """A library failed; the message has the class of its error and the places in code, and nothing of its text."""

    code = "library-failed"


@contextmanager
def library_errors(doing: str, *, code: str = LibraryError.code) -> Iterator[None]:
    """Turns whatever a library raises in the block into LibraryError. `doing` is our own word for what was tried.

    Errors of ours pass, and so do MemoryError, KeyboardInterrupt and the like.
    """
    try:
        yield
    except (WardroundError, MemoryError):
        raise
    except Exception as error:
        raise third_party(error, doing, code=code) from error


def third_party(error: BaseException, doing: str, *, code: str = LibraryError.code) -> LibraryError:
    """The error to raise (`from error`) in place of a library's: `doing` failed, of what class, and where."""
    return LibraryError(
        f"{doing} failed: {place_of(error)}; what the library says of it is not shown, for it may quote data",
        code=code,
    )


def is_ours(name: str) -> bool:
    """Whether a module or logger is Wardround's own."""
    return name.partition(".")[0] in _OURS


def place_of(error: BaseException) -> str:
    """`InvalidArgumentError at wardround.plan.graph:67 in tensorflow.python.client.session:1407`, and two causes."""
    said: list[str] = []
    current: BaseException | None = error
    if isinstance(error, LibraryError) and error.__cause__ is not None:
        current = error.__cause__  # what it stands for
    while current is not None and len(said) < _CHAIN:
        said.append(_place(current))
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return ", caused by ".join(said)


def _place(error: BaseException) -> str:
    kind = f"{foreign(type(error).__name__, 60)}"
    frames = list(_frames(error.__traceback__))
    ours = [place for place in frames if is_ours(place[0])]
    at = f" at {_spelled(ours[-1])}" if ours else ""
    inside = f" in {_spelled(frames[-1])}" if frames and not is_ours(frames[-1][0]) else ""
    return kind + at + inside


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, int]]:
    for frame, line in traceback.walk_tb(trace):
        yield str(frame.f_globals.get("__name__", "?")), line


def _spelled(place: tuple[str, int]) -> str:
    return f"{foreign(place[0], 100)}:{place[1]}"
