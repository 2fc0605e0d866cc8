"""Processes that take pieces of work; one that a decoder crashes or hangs is replaced, and what it did is blamed.

Workers end when their parent does, even if it was killed, and between two items when it stops.
"""

import multiprocessing
import os
import resource
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from typing import Self, TypeVar

from wardround.errors import WardroundError
from wardround.failures import third_party
from wardround.imaging.reading.deadline import set_limit
from wardround.imaging.reasons import Reason
from wardround.private_files import keep_private
from wardround.private_process import withhold

T = TypeVar("T")

# What a signal that ended a worker says; all others are crashes.
_ENDINGS = {
    signal.SIGALRM: Reason.TOO_SLOW,
    signal.SIGPROF: Reason.TOO_SLOW,
    signal.SIGKILL: Reason.OUT_OF_MEMORY,
}
# Filled in worker processes only.
_stops: list[Event] = []


@dataclass(frozen=True)
class Limits:
    """What one worker may take: seconds for a file or frame, bytes of address space (None: no limit)."""

    seconds: float = 20.0
    memory: int | None = None


@dataclass(frozen=True, eq=False)
class _Worker:
    process: SpawnProcess
    pipe: Connection

    def end(self) -> int:
        """Waits until the process has ended and returns its exit code; a busy one ends after its item."""
        self.pipe.close()
        self.process.join()
        return self.process.exitcode or 0


def stopping() -> bool:
    """Whether the process that gave out the work has stopped; always False outside a worker."""
    return any(stop.is_set() for stop in _stops)


class Crew:
    """Worker processes, started when there is work and kept until the `with` block ends."""

    def __init__(self, workers: int, limits: Limits = Limits()) -> None:
        """workers: how many processes are spawned; 0 works in the calling process, without limits."""
        self._count, self._limits = workers, limits
        self._context = multiprocessing.get_context("spawn")
        self._stop = self._context.Event()
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for worker in (*self._idle, *self._busy):
            worker.end()
        self._idle, self._busy = [], []

    def run(
        self,
        tasks: Sequence[T],
        work: Callable[[T], None],
        done: Callable[[T], None],
        blamed: Callable[[T, Reason], T],
    ) -> None:
        """Runs `work` on every task, and `done` here after each. An exception of `work` is raised here.

        If a process dies with a task, `blamed` gives the task again without the piece that killed it, and it is
        run again by a new process. A reason is `too-slow`, `out-of-memory` or `decoder-crash`.
        """
        if self._count == 0:
            for task in tasks:
                work(task)
                done(task)
            return
        left, given = deque(tasks), dict[_Worker, T]()
        while left or given:
            while left and len(given) < self._count:
                task = left.popleft()
                given[self._give(work, task)] = task
            ready = wait([worker.pipe for worker in given])
            for worker in [worker for worker in given if worker.pipe in ready]:
                task, reason = given.pop(worker), self._finish(worker)
                if reason is None:
                    done(task)
                else:
                    left.appendleft(blamed(task, reason))

    def _give(self, work: Callable[[T], None], task: T) -> _Worker:
        worker = self._ready()
        # If it died already, the end of its pipe says so.
        with suppress(BrokenPipeError):
            worker.pipe.send((work, task))
        self._busy.append(worker)
        return worker

    def _ready(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.process.is_alive():
                return worker
            worker.end()
        return self._start()

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._stop, self._limits), daemon=True)
        process.start()
        # With our copy closed, a worker's death ends the pipe.
        theirs.close()
        return _Worker(process, ours)

    def _finish(self, worker: _Worker) -> Reason | None:
        self._busy.remove(worker)
        try:
            error = worker.pipe.recv()
        except (EOFError, ConnectionResetError):
            return _ENDINGS.get(signal.Signals(max(1, -worker.end())), Reason.DECODER_CRASH)
        self._idle.append(worker)
        if error is not None:
            raise error
        return None


def _serve(pipe: Connection, stop: Event, limits: Limits) -> None:
    keep_private()
    _stops.append(stop)
    # Ctrl-C reaches the whole terminal group; it is the parent that says when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    set_limit(limits.seconds)
    if limits.memory is not None:
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    while True:
        try:
            work, task = pipe.recv()
        except EOFError:
            return
        error = _tried(work, task)
        with suppress(BrokenPipeError):
            pipe.send(error)


def _tried(work: Callable[[T], None], task: T) -> Exception | None:
    try:
        work(task)
    # Handed to the parent, which raises it: a library's only as its class and place.
    except (WardroundError, MemoryError) as error:
        return error
    except Exception as error:
        withhold(error)
        return third_party(error, "work on images")
    return None


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
