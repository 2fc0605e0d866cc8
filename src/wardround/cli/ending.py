"""The end of a process, at once: the interpreter would take TensorFlow apart first, for a second after each step."""

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ending_at_once() -> Iterator[None]:
    """After the block the process ends as usual, with the exit code that the block raised, but for its last part.

    Threads are waited for and whatever was registered to be done at the end is done: what is left is memory.
    """
    codes = [1]
    # Registered before all others, so called after them.
    atexit.register(lambda: _leave(codes[-1]))
    try:
        yield
        codes.append(0)
    except SystemExit as done:
        codes.append(_number(done.code))
        raise


def _number(code: object) -> int:
    if isinstance(code, int):
        return code
    return 0 if code is None else 1


def _leave(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # As the interpreter says it: what was written is not all there.
            code = code or 120
    os._exit(code)
