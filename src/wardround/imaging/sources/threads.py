"""Several requests in flight, and a stop that does not wait for them.

Threads, because they wait for a network. They are daemons: an answer that never comes holds no process.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from wardround.errors import StoppedError

T = TypeVar("T")
R = TypeVar("R")

_LOOK_SECONDS = 0.1
_LEAVE_SECONDS = 1.0
Work = Callable[[T, threading.Event], R]


def in_parallel(
    work: Work[T, R], items: Iterable[T], threads: int, stop: threading.Event, done: Callable[[R], None]
) -> None:
    """Runs `work(item, halt)` on all items in up to `threads` threads, and `done(result)` here after each.

    `halt` is set when `stop` is, or when one item failed; the first error is raised here, the others are not.
    Raises StoppedError within a second and a half of `stop`.
    """
    crew = _Crew(work, iter(items))
    crew.start(threads)
    try:
        while crew.working:
            if stop.is_set():
                raise StoppedError("the images' copy was stopped; start it again to go on")
            crew.take(done)
    finally:
        crew.leave()


class _Crew(Generic[T, R]):
    def __init__(self, work: Work[T, R], items: Iterator[T]) -> None:
        self._work = work
        self._items = items
        self._lock = threading.Lock()
        self._halt = threading.Event()
        # A result in a tuple, an error, or None from a thread that ends.
        self._results: SimpleQueue[tuple[R] | BaseException | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self.working = 0

    def start(self, threads: int) -> None:
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        self.working = threads
        for thread in self._threads:
            thread.start()

    def take(self, done: Callable[[R], None]) -> None:
        try:
            result = self._results.get(timeout=_LOOK_SECONDS)
        except Empty:
            return
        if result is None:
            self.working -= 1
        elif isinstance(result, BaseException):
            raise result
        else:
            done(result[0])

    def leave(self) -> None:
        self._halt.set()
        end = time.monotonic() + _LEAVE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _run(self) -> None:
        try:
            while not self._halt.is_set():
                with self._lock:
                    taken = [*islice(self._items, 1)]
                if not taken:
                    break
                self._results.put((self._work(taken[0], self._halt),))
            self._results.put(None)
        except BaseException as error:
            self._results.put(error)
