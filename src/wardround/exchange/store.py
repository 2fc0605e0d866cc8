"""The store: what Wardround asks of a bucket. Nothing in it is ever overwritten or deleted.

Every write is a promise: after a crash the same step runs again, and `put_idempotent` and
`upload_idempotent` accept what it wrote before, and nothing else, under the same key.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Protocol

from wardround.errors import RefusedError
from wardround.exchange.errors import ConflictError, ExistsError, OversizedError
from wardround.exchange.first_version import Rewritten
from wardround.exchange.waiting import Rhythm, Watch, wait_until

# A thousand rounds of a thousand sites' federation are three thousand objects under a run.
MOST_KEYS = 100_000


class Readable(Protocol):
    """What may be asked of a bucket by who only reads it. Safe to use from several threads.

    Keys are those of `layout.check_key`; other keys raise RefusedError (`illegal-name`). Every operation
    may raise DeniedError, UnavailableError and MissingBucketError.
    """

    @property
    def name(self) -> str:
        """The bucket's name."""

    @property
    def rewritten(self) -> Rewritten:
        """The keys that were found written more than once, or deleted, where the bucket keeps versions.

        `get`, `download` and `sha256` give what was written first.
        """

    def get(self, key: str, *, limit: int) -> bytes:
        """The object's bytes. Raises MissingError; OversizedError, unread, if it has more than `limit`."""

    def download(self, key: str, target: Path, *, limit: int) -> None:
        """Writes the object to the file `target`, which appears whole or not at all.

        Raises MissingError, OversizedError (before anything is read), NoSpaceError.
        """

    def exists(self, key: str) -> bool:
        """Whether there is an object under `key`."""

    def watch(self, prefix: str, bell: threading.Event) -> Watch:
        """A watch on what is written under `prefix`; see `waiting.wait_until`."""


class Store(Readable, Protocol):
    """One bucket. Every process opens its own."""

    def size(self, key: str) -> int:
        """The object's size in bytes. Raises MissingError."""

    def sha256(self, key: str, *, limit: int) -> str:
        """The SHA-256 (hexadecimal) of the object's bytes, none of which is kept. Raises as `get`."""

    def put_new(self, key: str, data: bytes) -> None:
        """Writes a new object; of several writers at once exactly one succeeds. Raises ExistsError."""

    def upload_new(self, key: str, source: Path) -> None:
        """`put_new` from a file, streamed. Raises ExistsError."""

    def list(self, prefix: str) -> Iterator[str]:
        """The keys that start with `prefix`, in ascending order. Raises RefusedError (`flooded`) for too many."""

    def names(self, prefix: str) -> Iterator[str]:
        """What lies directly below `prefix`, which is empty or ends with a slash, in ascending order.

        An object by the rest of its key, and all that lies deeper by its next segment and a slash: one request
        for a thousand of them, however much is in there. Raises RefusedError (`flooded`) for too many.
        """


class Exchange(Protocol):
    """A server, or a folder, with the buckets of a federation."""

    def store(self, bucket: str) -> Store:
        """The bucket of this name; no request is made."""

    def create_bucket(self, bucket: str) -> None:
        """Makes the bucket unless it is there. Only who sets up a federation may; raises DeniedError."""

    def close(self) -> None:
        """Ends connections and listeners; what was written stays."""


def put_idempotent(store: Store, key: str, data: bytes) -> None:
    """Writes `data` under `key`, or finds the same bytes there.

    Raises ConflictError when other bytes are there.
    """
    try:
        store.put_new(key, data)
    except ExistsError:
        _check_same(store, key, len(data), data)


def upload_idempotent(store: Store, key: str, source: Path) -> None:
    """`put_idempotent` from a file, compared by size and content.

    Raises ConflictError when other bytes are there.
    """
    try:
        store.upload_new(key, source)
    except ExistsError:
        _check_same(store, key, source.stat().st_size, source)


def _check_same(store: Store, key: str, size: int, expected: bytes | Path) -> None:
    if not has_content(store, key, size, lambda: _sha256(expected)):
        raise ConflictError(
            f"bucket {store.name!r} already has other content under {key!r}, and objects are never "
            "overwritten; use a new run, or find out who else writes with these credentials"
        )


def has_content(store: Store, key: str, size: int, sha256: Callable[[], str]) -> bool:
    """Whether the object under `key` has so many bytes and this SHA-256; it is not kept in memory."""
    try:
        return store.sha256(key, limit=size) == sha256()
    except OversizedError:
        return False


def _sha256(data: bytes | Path) -> str:
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    with data.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bounded_keys(keys: Iterable[str], bucket: str, prefix: str) -> list[str]:
    """The keys of a listing, sorted. Raises RefusedError (`flooded`) soon after `MOST_KEYS`."""
    found = list(islice(keys, MOST_KEYS + 1))
    if len(found) > MOST_KEYS:
        raise RefusedError(
            f"bucket {bucket!r} has more than {MOST_KEYS} objects under {prefix!r}, which no run writes; whoever writes "
            "there has flooded it, and its operator must remove what is too much",
            code="flooded",
        )
    return sorted(found)


def wait_for_any(
    store: Readable,
    prefix: str,
    keys: Iterable[str],
    *,
    seconds: float,
    stop: threading.Event | None = None,
    rhythm: Rhythm | None = None,
) -> str | None:
    """The first of `keys`, in their order, that exists; None after `seconds`. All are under `prefix`.

    One small request per key and look. Raises StoppedError soon after `stop` is set.
    """
    wanted = tuple(keys)
    return wait_until(
        [store],
        lambda: next((key for key in wanted if store.exists(key)), None),
        seconds=seconds,
        stop=stop,
        prefix=prefix,
        rhythm=rhythm,
    )
