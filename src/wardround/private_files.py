"""Files that come from patients belong to the user who made them: 0600, and their folders 0700.

`keep_private` sets the process's umask, which is the one place that every file passes, whichever library makes it;
children inherit it. It stays set: a process that handled patients' data has nothing for other users. `tighten` is for
what was there before, and for what somebody has opened since.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_private() -> None:
    """From now on no other user can read, write or enter what this process and its children make."""
    os.umask(_OTHERS)


def tighten(*paths: Path) -> None:
    """Takes the rights of group and others from files and folders, and from all below these.

    Links are neither followed nor changed. What belongs to another user stays as it is, and so does what is not there.
    """
    for path in paths:
        for each in _all(path):
            _tighten(each)


def _all(path: Path) -> Iterator[str]:
    yield os.fspath(path)
    for folder, folders, names in os.walk(path):
        yield from (os.path.join(folder, name) for name in (*folders, *names))


def _tighten(path: str) -> None:
    # It may be gone by now, or another user's.
    with suppress(OSError):
        mode = os.lstat(path).st_mode
        if mode & _OTHERS and (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            os.chmod(path, stat.S_IMODE(mode) & ~_OTHERS)
