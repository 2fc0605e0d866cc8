"""A process that handles data says nothing in words that are not ours.

    fd 1, fd 2  ─────────────→ the private file, or nowhere      (C and C++ libraries write here; children inherit it)
    sys.stderr  ─────────────→ the same                          (what libraries print: warnings, tracebacks, their logs)
    sys.stdout, shown_stream() → the standard output and error that the process was started with: our own lines

Whatever nobody catches becomes one line with the error's class and place (`wardround.failures`). Its text goes to the
private file, of mode 0600 below the work folder, where the site's setting `keep_error_texts` asks for one.
"""

import atexit
import os
import resource
import sys
import threading
import traceback
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from wardround.errors import WardroundError
from wardround.failures import place_of
from wardround.text import foreign, message_lines

FOLDER = "error-texts"
WITHHELD = "its words are not shown, for they may quote data"
_state: dict[str, TextIO] = {}
_warned: set[str] = set()


def handle_data_privately() -> None:
    """Makes this process say nothing of a library's, from now on and for good; to be called before any is imported.

    Not undone: it is for a process of its own, a command's. Calling it again does nothing.
    """
    if _state:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    _state["shown"] = _copy(2)
    sys.stdout = _copy(1)
    atexit.register(_flush)
    _lead_into(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC))
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    # A crash would write the memory, and so the images, into the folder that it happened in.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable
    warnings.showwarning = _warned_of


def is_private() -> bool:
    """Whether `handle_data_privately` was called in this process."""
    return bool(_state)


def shown_stream() -> TextIO:
    """Where our own lines go: standard error, also where `sys.stderr` leads elsewhere."""
    return _state.get("shown", sys.stderr)


def keep_texts(work: Path) -> None:
    """From now on keeps what is withheld in `work/error-texts/<pid>.log`, for this user's eyes only (mode 0600).

    Also what C libraries write. Only in a private process; does nothing in another. Raises OSError.
    """
    if not is_private():
        return
    folder = work / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(folder / f"{os.getpid()}.log", flags, 0o600)
    os.fchmod(file, 0o600)
    _lead_into(file)


def withhold(error: BaseException) -> None:
    """Leaves an error's text where texts are kept; nowhere, if they are not."""
    if is_private():
        traceback.print_exception(error, file=sys.stderr)


def say(line: str) -> None:
    """Prints a line, or lines, of our own on the process's standard error."""
    print(message_lines(line), file=shown_stream(), flush=True)


def _copy(number: int) -> TextIO:
    return os.fdopen(os.dup(number), "w", encoding="utf-8", errors="backslashreplace", buffering=1)


def _lead_into(file: int) -> None:
    for number in (1, 2):
        os.dup2(file, number)
    os.close(file)


def _flush() -> None:
    for stream in (sys.stdout, shown_stream()):
        if not stream.closed:
            stream.flush()


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    withhold(error)
    if isinstance(error, WardroundError):
        say(f"wardround: {error} [{error.code}]")
    elif isinstance(error, KeyboardInterrupt):
        say("wardround: interrupted")
    else:
        say(f"wardround: {place_of(error)}; {WITHHELD} [library-failed]")


def _uncaught_in_thread(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is None or given.exc_type is SystemExit:
        return
    withhold(given.exc_value)
    name = given.thread.name if given.thread is not None else "?"
    say(f"wardround: thread {foreign(name, 60)}: {place_of(given.exc_value)}; {WITHHELD} [library-failed]")


def _unraisable(given: Any) -> None:
    if given.exc_value is not None:
        withhold(given.exc_value)
        say(f"wardround: {place_of(given.exc_value)}, ignored; {WITHHELD}")


def _warned_of(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Once for each class and place, whatever the text: one that quotes values is another each time."""
    place = f"{category.__name__} in {foreign(Path(filename).name, 60)}:{lineno}"
    print(f"{place}: {message}", file=sys.stderr)
    if place not in _warned:
        _warned.add(place)
        say(f"wardround: a library warns: {place}; {WITHHELD}")
