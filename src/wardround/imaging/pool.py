"""Processes that take chunks of work; one that a decoder crashes is replaced, and what crashed it is named.

Workers end when their parent does, even if it was killed, and between two items when it stops.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.synchronize import Event
from typing import TypeVar

T = TypeVar("T")

# Set in a worker process only.
_stop: Event | None = None


def stopping() -> bool:
    """Whether the process that gave out the work has stopped; always False outside a worker."""
    return _stop is not None and _stop.is_set()


def run_all(
    tasks: Sequence[T],
    work: Callable[[T], None],
    done: Callable[[T], None],
    blamed: Callable[[T], T],
    workers: int,
) -> None:
    """Runs `work` on every task in `workers` spawned processes (0: in this one), `done` here after each.

    If a process dies, the tasks left are run one at a time, so that the one to blame is certain; `blamed` gives
    the task again without the piece that killed it.
    """
    if workers == 0:
        for task in tasks:
            work(task)
            done(task)
        return
    for task in _run_together(tasks, work, done, workers):
        _run_alone(task, work, blamed)
        done(task)


def _run_together(
    tasks: Sequence[T], work: Callable[[T], None], done: Callable[[T], None], workers: int
) -> list[T]:
    left = dict(enumerate(tasks))
    try:
        with _pool(min(workers, max(1, len(tasks)))) as pool:
            futures = {pool.submit(work, task): place for place, task in left.items()}
            for future in as_completed(futures):
                future.result()
                done(left.pop(futures[future]))
    except BrokenProcessPool:
        return list(left.values())
    return []


def _run_alone(task: T, work: Callable[[T], None], blamed: Callable[[T], T]) -> None:
    while True:
        try:
            with _pool(1) as pool:
                return pool.submit(work, task).result()
        except BrokenProcessPool:
            task = blamed(task)


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(stop,))
    try:
        yield pool
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _start_worker(stop: Event) -> None:
    global _stop
    _stop = stop
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
