"""Files that appear whole or not at all.

They are not synced to the disk, which can take longer than a round: every file that is read again later is
compared with its digest first, so one that a power cut emptied is fetched or made anew.
"""

import errno
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from wardround.exchange.errors import NoSpaceError


@contextmanager
def no_space_named(target: str) -> Iterator[None]:
    """Turns a full disk or quota into NoSpaceError that names `target`."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise NoSpaceError(f"no space is left for {target}; free some and start again") from error


@contextmanager
def whole_path(target: Path) -> Iterator[Path]:
    """A path to write a file to, which takes the name `target` when the block ends well.

    It is `<target>.<random>.part` beside it, and is removed on an error. A killed process may leave a
    `.part`, which nobody reads. Raises NoSpaceError.
    """
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        with no_space_named(str(target)):
            yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_file(target: Path) -> Iterator[BinaryIO]:
    """`whole_path`, opened for writing."""
    with whole_path(target) as part, part.open("xb") as file:
        yield file
