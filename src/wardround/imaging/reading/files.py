"""Files as memory: opened without waiting, and only if there is content to read."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path


@contextmanager
def mapped(path: Path) -> Iterator[mmap]:
    """Maps a regular file for reading. Raises OSError for what cannot be read or is none, ValueError if empty."""
    # A named pipe without a writer would block for ever where the flag is missing.
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError("not a regular file")
        content = mmap(number, 0, access=ACCESS_READ)
    finally:
        os.close(number)
    with content:
        yield content
