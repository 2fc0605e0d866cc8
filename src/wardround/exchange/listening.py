"""Being told by a server that something was written."""

import threading
from collections.abc import Callable

from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

_RETRY_SECONDS = 5.0
_BLOCK = 1 << 16


class Listener:
    """Rings bells while an endless answer of a server brings lines. One thread, from the first watch on.

    `connect` opens that answer, or returns None where the server has no such thing, which ends the matter.
    A connection that is lost is opened again after a while; until then `told` is false and waiters poll.
    """

    def __init__(self, name: str, connect: Callable[[], BaseHTTPResponse | None]) -> None:
        self._name = name
        self._connect = connect
        self._lock = threading.Lock()
        self._bells: list[threading.Event] = []
        self._thread: threading.Thread | None = None
        self._response: BaseHTTPResponse | None = None
        self._closed = threading.Event()
        self.told = False

    class Watch:
        """One waiter's bell on the listener."""

        def __init__(self, listener: "Listener", bell: threading.Event) -> None:
            self._listener = listener
            self._bell = bell

        @property
        def told(self) -> bool:
            return self._listener.told

        def __enter__(self) -> "Listener.Watch":
            self._listener._add(self._bell)
            return self

        def __exit__(self, *_: object) -> None:
            self._listener._remove(self._bell)

    def watch(self, bell: threading.Event) -> "Listener.Watch":
        """A watch that sets `bell` whenever something may have been written."""
        return self.Watch(self, bell)

    def close(self) -> None:
        """Ends the thread and its connection."""
        self._closed.set()
        with self._lock:
            response, thread = self._response, self._thread
        if response is not None:
            response.shutdown()
        if thread is not None:
            thread.join(timeout=2)

    def _add(self, bell: threading.Event) -> None:
        with self._lock:
            self._bells.append(bell)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _remove(self, bell: threading.Event) -> None:
        with self._lock:
            self._bells.remove(bell)

    def _ring(self) -> None:
        with self._lock:
            for bell in self._bells:
                bell.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                if (response := self._connect()) is None:
                    return
                self._follow(response)
            except HTTPError:
                pass  # lost or not reached: waiters poll, and meet the same error where it matters
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
            self._ring()  # for what was written between the waiter's last look and now
            for block in response.stream(_BLOCK, decode_content=False):
                if block.strip():
                    self._ring()
        finally:
            with self._lock:
                self._response = None
            response.close()
