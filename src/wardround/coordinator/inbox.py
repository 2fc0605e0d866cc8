"""Waiting for several buckets at once: one thread for each, one queue for all."""

import queue
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from wardround.errors import StoppedError
from wardround.exchange.waiting import STOP_SECONDS, stop_if_asked

T = TypeVar("T")
Watcher = Callable[[threading.Event, Callable[[T], None]], None]


class Inbox(Generic[T]):
    """Collects what watchers deliver, until the block ends, which ends the watchers too.

    A watcher is called in a thread of its own with an event that says "enough", and a function that
    delivers. What it raises, `next` raises: no failure of a watcher goes unseen while somebody waits.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._enough = threading.Event()
        self._queue: queue.Queue[T | Exception] = queue.Queue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._enough.set()

    def watch(self, watcher: Watcher[T]) -> None:
        """Starts a watcher."""
        threading.Thread(target=self._run, args=(watcher,), daemon=True).start()

    def next(self, end: float) -> T | None:
        """The next delivery, or None at `end` (of `time.monotonic`). Raises StoppedError."""
        while True:
            stop_if_asked(self._stop)
            left = end - time.monotonic()
            try:
                item = self._queue.get(timeout=min(max(left, 0.0), STOP_SECONDS))
            except queue.Empty:
                if left <= 0:
                    return None
                continue
            if isinstance(item, Exception):
                raise item
            return item

    def _run(self, watcher: Watcher[T]) -> None:
        try:
            watcher(self._enough, self._queue.put)
        except StoppedError:
            return  # only `_enough` stops a watcher, and then nobody reads the queue
        except Exception as error:
            self._queue.put(error)
