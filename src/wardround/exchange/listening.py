"""Being told by a server that something was written."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote_plus

from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from wardround.exchange.waiting import Watch

_RETRY_SECONDS = 5.0
_BLOCK = 1 << 16
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class BellWatch:
    """One waiter's bell on a listener."""

    listener: "Listener"
    prefix: str
    bell: threading.Event

    @property
    def told(self) -> bool:
        return self.listener.told

    def __enter__(self) -> "BellWatch":
        self.listener.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.remove(self)


class Listener:
    """Rings bells while an endless answer of a server brings events. One thread, from the first watch on.

    `connect` opens that answer, or returns None where the server has no such thing, which ends the matter.
    A connection that is lost is opened again after a while; until then `told` is false and waiters poll.
    """

    def __init__(self, name: str, connect: Callable[[], BaseHTTPResponse | None]) -> None:
        self._name = name
        self._connect = connect
        self._lock = threading.Lock()
        self._watches: list[BellWatch] = []
        self._thread: threading.Thread | None = None
        self._response: BaseHTTPResponse | None = None
        self._closed = threading.Event()
        self.told = False

    def watch(self, prefix: str, bell: threading.Event) -> Watch:
        """A watch that sets `bell` whenever something may have been written under `prefix`."""
        return BellWatch(self, prefix, bell)

    def add(self, watch: BellWatch) -> None:
        with self._lock:
            self._watches.append(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def remove(self, watch: BellWatch) -> None:
        with self._lock:
            self._watches.remove(watch)

    def close(self) -> None:
        """Ends the thread and its connection."""
        self._closed.set()
        with self._lock:
            response, thread = self._response, self._thread
        if response is not None:
            response.shutdown()
        if thread is not None:
            thread.join(timeout=2)

    def _ring(self, key: str | None = None) -> None:
        """Rings for an object that was written; None is "may have been anything"."""
        with self._lock:
            for watch in self._watches:
                if key is None or key.startswith(watch.prefix):
                    watch.bell.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                if (response := self._connect()) is None:
                    return
                self._follow(response)
            except (HTTPError, OSError) as error:
                _LOG.debug("%s: not told of writes for now (%s), polling", self._name, type(error).__name__)
            finally:
                self.told = False
                self._ring()
            self._closed.wait(_RETRY_SECONDS)

    def _follow(self, response: BaseHTTPResponse) -> None:
        with self._lock:
            self._response = response
        try:
            if self._closed.is_set():
                return
            self.told = True
            self._ring()  # for what was written between the waiters' last look and now
            for line in _lines(response):
                for key in written_keys(line):
                    self._ring(key)
        finally:
            with self._lock:
                self._response = None
            response.close()


def written_keys(line: bytes) -> list[str | None]:
    """The keys that a line of MinIO's listen answer tells of: none for a sign of life, None if unclear."""
    if not line.strip():
        return []
    try:
        records = json.loads(line)["Records"] or []
        return [unquote_plus(record["s3"]["object"]["key"]) for record in records]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return [None]


def _lines(response: BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for block in response.stream(_BLOCK, decode_content=False):
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
        if len(rest) > _BLOCK:
            raise HTTPError("a line without end")
