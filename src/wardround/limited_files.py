"""Small files, read as a whole: not before it is known that they are small, and files."""

import os
import stat
from pathlib import Path

from wardround.errors import ConfigurationError


def read_limited(path: Path, limit: int, what: str) -> bytes:
    """The content of a regular file of at most `limit` bytes; `what` names it in messages.

    Links are followed. Never reads more than the limit, also of a file that grows, and never waits for a named pipe.
    Raises ConfigurationError for a larger one and for what is no file; OSError as `open` does.
    """
    # Without the flag, opening a pipe that nobody writes to would wait for ever.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ConfigurationError(f"{what} {path.name} is not a regular file")
        content = file.read(limit + 1) if status.st_size <= limit else b""
    if status.st_size > limit or len(content) > limit:
        raise ConfigurationError(
            f"{what} {path.name} has more than {limit:,} bytes, which is the limit for such a file"
        )
    return content
