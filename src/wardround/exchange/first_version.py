"""Reading what was written first, whoever wrote again.

`If-None-Match` is a promise of honest writers. Whoever leaves it out overwrites, and whoever may delete hides. Where a
bucket keeps versions, both are visible, and neither changes what a reader gets: the oldest version of a key.

A reader of a bucket without versions pays nothing. In one with versions, the answer to a GET names its version, and one
listing of this key's versions says whether it is the first: one small request more for each object that is read.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from wardround.errors import RefusedError

_LOG = logging.getLogger(__name__)
MOST_VERSIONS = 1000


class Version(Protocol):
    """An entry of a listing of versions, as `minio` gives it. Of a key, the newest comes first."""

    @property
    def object_name(self) -> str | None: ...

    @property
    def version_id(self) -> str | None: ...

    @property
    def is_delete_marker(self) -> bool: ...


@dataclass(frozen=True)
class Versions:
    """What a bucket holds under one key: the first version, None without one; how often it was written, and deleted."""

    first: str | None
    written: int
    deleted: int


def versions_of(key: str, listing: Iterable[Version]) -> Versions:
    """The versions of `key` in a listing that begins with it. Stops where the next key begins.

    Raises RefusedError (`flooded`) for more than `MOST_VERSIONS`: only their writer's object is lost by that.
    """
    first, written, deleted = None, 0, 0
    for entry in listing:
        if entry.object_name != key:
            break
        if entry.is_delete_marker:
            deleted += 1
        else:
            first, written = entry.version_id, written + 1
        if written + deleted > MOST_VERSIONS:
            raise RefusedError(f"object {key!r} was written or deleted {MOST_VERSIONS} times", code="flooded")
    return Versions(first, written, deleted)


@dataclass
class Rewritten:
    """The keys of a bucket that were found written more than once, or deleted; each is told once."""

    bucket: str
    keys: dict[str, Versions] = field(default_factory=dict)

    def note(self, key: str, found: Versions) -> None:
        """Remembers and tells what was found, if it is more than one write."""
        if (found.written > 1 or found.deleted) and self.keys.get(key) != found:
            self.keys[key] = found
            _LOG.warning(
                "object %r of bucket %r was written %d times and deleted %d times, and objects are written once: what "
                "was written first is read. Whoever may write there does not keep to the protocol [rewritten]",
                key,
                self.bucket,
                found.written,
                found.deleted,
            )
