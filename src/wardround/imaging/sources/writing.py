"""Writing what an archive sends: to disk in blocks, within a limit, named by a keyed hash of the content."""

import hashlib
import hmac
import threading
from collections.abc import Iterable
from pathlib import Path

from wardround.errors import StoppedError
from wardround.imaging.sources.errors import ParcelError, Why, disk_errors_named


def stop_if_set(stop: threading.Event) -> None:
    """Raises StoppedError when `stop` is set."""
    if stop.is_set():
        raise StoppedError("the images' copy was stopped; start it again to go on")


def write_file(folder: Path, blocks: Iterable[bytes], key: bytes, limit: int, stop: threading.Event) -> Path:
    """Writes one file into `folder` and returns its path, which follows from key and content alone.

    Raises ParcelError (more than `limit` bytes), NoSpaceError, StoppedError.
    """
    digest, written, part = hmac.new(key, b"wardround/file/", hashlib.sha256), 0, folder / "file.part"
    with disk_errors_named(folder), part.open("wb") as stream:
        for block in blocks:
            stop_if_set(stop)
            written += len(block)
            if written > limit:
                raise ParcelError(Why.TOO_LARGE)
            digest.update(block)
            stream.write(block)
    return part.rename(folder / f"{digest.hexdigest()[:32]}.dcm")
