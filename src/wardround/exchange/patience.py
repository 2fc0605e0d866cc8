"""Sitting out an exchange that is away for a while, up to an end.

The S3 store repeats a failed request for seconds. A restart of the server, or a broken line, takes minutes:
a wrapped exchange repeats for as long as it is told, and then fails with the last error.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import tenacity

from wardround.errors import StoppedError
from wardround.exchange.errors import UnavailableError
from wardround.exchange.first_version import Rewritten
from wardround.exchange.store import Exchange, Store
from wardround.exchange.waiting import Watch

T = TypeVar("T")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class PatientExchange:
    """`inner`, whose operations are repeated for up to `seconds` while it is unavailable, or until `stop`."""

    inner: Exchange
    seconds: float
    stop: threading.Event

    def store(self, bucket: str) -> "PatientStore":
        return PatientStore(self.inner.store(bucket), self)

    def create_bucket(self, bucket: str) -> None:
        self.repeat(lambda: self.inner.create_bucket(bucket))

    def close(self) -> None:
        self.inner.close()

    def repeat(self, action: Callable[[], T]) -> T:
        """What `action` returns, once it does. Raises UnavailableError at the end, StoppedError on `stop`."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(UnavailableError),
            stop=tenacity.stop_any(
                tenacity.stop_after_delay(self.seconds), tenacity.stop_when_event_set(self.stop)
            ),
            wait=tenacity.wait_exponential_jitter(multiplier=0.5, max=30),
            sleep=tenacity.sleep_using_event(self.stop),
            before_sleep=_tell,
            reraise=True,
        )
        try:
            return retrying(action)
        except UnavailableError as error:
            if self.stop.is_set():
                raise StoppedError(f"asked to stop while the exchange was away: {error}") from error
            raise


@dataclass(frozen=True)
class PatientStore:
    """One bucket of a `PatientExchange`."""

    inner: Store
    exchange: PatientExchange

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def rewritten(self) -> Rewritten:
        return self.inner.rewritten

    def sha256(self, key: str, *, limit: int) -> str:
        return self.exchange.repeat(lambda: self.inner.sha256(key, limit=limit))

    def get(self, key: str, *, limit: int) -> bytes:
        return self.exchange.repeat(lambda: self.inner.get(key, limit=limit))

    def download(self, key: str, target: Path, *, limit: int) -> None:
        self.exchange.repeat(lambda: self.inner.download(key, target, limit=limit))

    def size(self, key: str) -> int:
        return self.exchange.repeat(lambda: self.inner.size(key))

    def exists(self, key: str) -> bool:
        return self.exchange.repeat(lambda: self.inner.exists(key))

    def put_new(self, key: str, data: bytes) -> None:
        self.exchange.repeat(lambda: self.inner.put_new(key, data))

    def upload_new(self, key: str, source: Path) -> None:
        self.exchange.repeat(lambda: self.inner.upload_new(key, source))

    def list(self, prefix: str) -> Iterator[str]:
        return iter(self.exchange.repeat(lambda: [*self.inner.list(prefix)]))

    def names(self, prefix: str) -> Iterator[str]:
        return iter(self.exchange.repeat(lambda: [*self.inner.names(prefix)]))

    def watch(self, prefix: str, bell: threading.Event) -> Watch:
        return self.inner.watch(prefix, bell)


def _tell(state: tenacity.RetryCallState) -> None:
    _LOG.warning("the exchange is away; attempt %d failed, trying again", state.attempt_number)
