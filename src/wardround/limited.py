"""Reading a file whole, but not whatever is there: a limit before the first byte, and no device or pipe."""

import os
import stat
from pathlib import Path

from wardround.errors import ConfigurationError


class FileError(ConfigurationError):
    """A file that is needed is absent, may not be read, is too large, or is no file."""

    code = "file"


def read_limited(path: Path, limit: int, what: str = "file") -> bytes:
    """The bytes of a regular file of at most `limit` bytes. `what` names its kind in messages.

    Raises FileError, which holds the path and no content.
    """
    try:
        # Not opened yet: opening a pipe or a device can do something. What takes its place meanwhile is looked at, too.
        if not stat.S_ISREG(path.stat().st_mode):
            raise _no_file(path, what)
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise _no_file(path, what)
            if found.st_size > limit:
                raise _too_large(path, what, limit)
            # A file may grow after it was measured.
            data = stream.read(limit + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "the path is none"
        raise FileError(
            f"{what} {str(path)!r} cannot be read ({why}); correct its path or permissions"
        ) from error
    if len(data) > limit:
        raise _too_large(path, what, limit)
    return data


def read_text_limited(path: Path, limit: int, what: str = "file") -> str:
    """`read_limited` as UTF-8. Raises FileError."""
    try:
        return read_limited(path, limit, what).decode("utf-8")
    except UnicodeDecodeError:
        # `from None`: the decoder's error holds the bytes.
        raise FileError(f"{what} {str(path)!r} is not UTF-8 text; write it again as UTF-8") from None


def _no_file(path: Path, what: str) -> FileError:
    return FileError(f"{what} {str(path)!r} is not a file; give a file")


def _too_large(path: Path, what: str, limit: int) -> FileError:
    return FileError(f"{what} {str(path)!r} has more than {limit} bytes, and no {what} is so large")
