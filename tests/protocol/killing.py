"""Processes that die, for real, at every write: `kill -9` to themselves before and after each one.

`Deaths` remembers in a file what it has struck at, so a process that is started again and again dies once at
every write, and in the end comes through. Production code knows nothing of this: the test's own process entry
wraps the exchange and `Path.replace`, the only two ways in which anything becomes visible.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wardround.exchange.store import Exchange, Store
from wardround.exchange.waiting import Watch


@dataclass(frozen=True)
class Deaths:
    """Strikes once at each event, or at the one that is named; `log` lists those behind us."""

    log: Path
    only: str | None = None

    def strike(self, event: str) -> None:
        """Kills this process the first time that it sees the event."""
        if event in self.past() or self.only not in (None, event):
            return
        with self.log.open("a") as file:
            file.write(f"{event}\n")
            file.flush()
            os.fsync(file.fileno())
        os.kill(os.getpid(), signal.SIGKILL)

    def past(self) -> list[str]:
        """The events that were struck at, in order."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def around(self, event: str, write: Callable[[], Any]) -> Any:
        """Does a write, with a death before and after it."""
        self.strike(f"before {event}")
        result = write()
        self.strike(f"after {event}")
        return result

    def haunt_files(self) -> None:
        """From now on, every rename in this process is an event."""
        original = Path.replace

        def replace(path: Path, target: Any) -> Path:
            name = Path(target).name
            return self.around(f"rename {name}", lambda: original(path, target))  # type: ignore[no-any-return]

        Path.replace = replace  # type: ignore[method-assign]


@dataclass(frozen=True)
class DeadlyExchange:
    """An exchange whose every write is an event."""

    inner: Exchange
    deaths: Deaths

    def store(self, bucket: str) -> "DeadlyStore":
        return DeadlyStore(self.inner.store(bucket), self.deaths)

    def create_bucket(self, bucket: str) -> None:
        self.deaths.around(f"bucket {bucket}", lambda: self.inner.create_bucket(bucket))


@dataclass(frozen=True)
class DeadlyStore:
    """One bucket of it. A plan's many graphs are one event: they are all written alike."""

    inner: Store
    deaths: Deaths

    @property
    def name(self) -> str:
        return self.inner.name

    def put_new(self, key: str, data: bytes) -> None:
        self.deaths.around(self._event(key), lambda: self.inner.put_new(key, data))

    def upload_new(self, key: str, source: Path) -> None:
        self.deaths.around(self._event(key), lambda: self.inner.upload_new(key, source))

    def get(self, key: str, *, limit: int) -> bytes:
        return self.inner.get(key, limit=limit)

    def download(self, key: str, target: Path, *, limit: int) -> None:
        self.inner.download(key, target, limit=limit)

    def size(self, key: str) -> int:
        return self.inner.size(key)

    def exists(self, key: str) -> bool:
        return self.inner.exists(key)

    def sha256(self, key: str, *, limit: int) -> str:
        return self.inner.sha256(key, limit=limit)

    def list(self, prefix: str) -> Iterator[str]:
        return self.inner.list(prefix)

    def names(self, prefix: str) -> Iterator[str]:
        return self.inner.names(prefix)

    def watch(self, prefix: str, bell: threading.Event) -> Watch:
        return self.inner.watch(prefix, bell)

    def _event(self, key: str) -> str:
        return "put a graph" if key.endswith(".pb") else f"put {self.name}/{key}"
