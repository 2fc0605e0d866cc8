"""Processes that take chunks of work; one that a decoder crashes is replaced, and what crashed it is named.

Workers end when their parent does, even if it was killed, and between two items when it stops.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from multiprocessing.synchronize import Event
from typing import Self, TypeVar

T = TypeVar("T")

# Filled in worker processes only.
_stops: list[Event] = []


def stopping() -> bool:
    """Whether the process that gave out the work has stopped; always False outside a worker."""
    return any(stop.is_set() for stop in _stops)


class Crew:
    """Worker processes, started at the first task and kept until the `with` block ends."""

    def __init__(self, workers: int) -> None:
        """workers: how many processes are spawned; 0 works in the calling process."""
        self._workers = workers
        self._context = multiprocessing.get_context("spawn")
        self._stop = self._context.Event()
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._dismiss()

    def run(
        self,
        tasks: Sequence[T],
        work: Callable[[T], None],
        done: Callable[[T], None],
        blamed: Callable[[T], T],
    ) -> None:
        """Runs `work` on every task, and `done` here after each.

        If a process dies, the tasks left are run one at a time, so that the one to blame is certain; `blamed`
        gives the task again without the piece that killed it.
        """
        if self._workers == 0:
            for task in tasks:
                work(task)
                done(task)
            return
        for task in self._run_together(tasks, work, done):
            self._run_alone(task, work, blamed)
            done(task)

    def _run_together(
        self, tasks: Sequence[T], work: Callable[[T], None], done: Callable[[T], None]
    ) -> list[T]:
        left = dict(enumerate(tasks))
        try:
            futures = {self._submit(work, task): place for place, task in left.items()}
            for future in as_completed(futures):
                future.result()
                done(left.pop(futures[future]))
        except BrokenProcessPool:
            self._dismiss()
        return list(left.values())

    def _run_alone(self, task: T, work: Callable[[T], None], blamed: Callable[[T], T]) -> None:
        while True:
            try:
                return self._submit(work, task).result()
            except BrokenProcessPool:
                self._dismiss()
                task = blamed(task)

    def _submit(self, work: Callable[[T], None], task: T) -> Future[None]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._workers, self._context, initializer=_start_worker, initargs=(self._stop,)
            )
        return self._pool.submit(work, task)

    def _dismiss(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _start_worker(stop: Event) -> None:
    _stops.append(stop)
    # Ctrl-C reaches the whole terminal group; it is the parent that says when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
