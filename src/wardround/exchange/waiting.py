"""Waiting for an object of somebody else, without losing the moment that it is written.

A store that is told of writes by its server rings the waiter's bell; one that is not lets the waiter look
again at growing intervals. `wait_until` does both, over any number of stores at once.
"""

import random
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Protocol, TypeVar

from wardround.errors import StoppedError

T = TypeVar("T")

FIRST_SECONDS = 0.010
LONGEST_SECONDS = 1.0
# A pause is a share of the time already waited, so the delay that it causes stays within that share of the
# wait, and the number of looks grows with the wait's logarithm only.
SHARE = 0.12
# For this share of the time that the last wait of its kind took, nothing is looked at (but every second); around
# that time the looks are close, because somebody's next step hangs on them.
QUIET_SHARE = 0.85
DUE_SHARE = 1.3
CLOSE_SHARE = 0.04
# A waiter that is told also looks by itself this often: an event may get lost with its connection.
SAFETY_SECONDS = 5.0
# Two events cannot be waited for at once: how long it may take to see that the process was asked to stop.
STOP_SECONDS = 0.1


class Watch(Protocol):
    """A waiter's hold on one store; entered before the first look, left after the last."""

    @property
    def told(self) -> bool:
        """Whether every write from now on rings the bell. May change at any time."""

    def __enter__(self) -> "Watch": ...

    def __exit__(self, *_: object) -> None: ...


class Watchable(Protocol):
    """What can be waited for: every store."""

    def watch(self, prefix: str, bell: threading.Event) -> Watch:
        """A watch that sets `bell` when something may have been written under `prefix`, if told of it."""


class Rhythm:
    """How long the last wait of one kind took. The next one is left alone for most of that time.

    Rounds repeat: without this, every site and watcher would ask a server dozens of times a round for what is
    known not to be there yet. Used by one waiter at a time.

    `periodic`: what is waited for comes at regular times, whenever the wait begins. So time counts from the last time
    that it came: who answered a round first waits long for the next, who answered last does not. The first round says
    nothing about the others: graphs are built in it.
    """

    def __init__(self, expected: float = 0.0, *, periodic: bool = False) -> None:
        self.expected = expected
        self._periodic = periodic
        self._came: float | None = None
        self._first = 2 if periodic else 1  # a period has two ends

    def origin(self, now: float) -> float:
        """The time from which a wait that begins now counts, in seconds of the monotonic clock."""
        return now if self._came is None or not self._periodic else self._came

    def learn(self, origin: float, now: float, looks: int) -> None:
        """Remembers a wait that ended at its `looks`-th look; one that ended at the first look after the quiet
        time may have been over before, so the next one is left alone for less."""
        self._came = now
        if self._first:
            self._first -= 1
            return
        waited = now - origin
        self.expected = waited * 0.75 if looks == 2 else waited


class SilentWatch:
    """The watch of a store that is never told."""

    told = False

    def __enter__(self) -> "SilentWatch":
        return self

    def __exit__(self, *_: object) -> None:
        return None


def stop_if_asked(stop: threading.Event | None) -> None:
    """Raises StoppedError when `stop` is set."""
    if stop is not None and stop.is_set():
        raise StoppedError("asked to stop while waiting for the exchange; start again to go on from here")


def wait_until(
    stores: Iterable[Watchable],
    ready: Callable[[], T | None],
    *,
    seconds: float,
    stop: threading.Event | None = None,
    prefix: str = "",
    rhythm: Rhythm | None = None,
) -> T | None:
    """The first result of `ready()` that is not None, or None after `seconds` (a duration, never a date).

    `ready` looks at keys under `prefix` in `stores`. It is called at the start, whenever something may have
    been written, and a last time at the end, always in the caller's thread; what it raises goes to the
    caller. Raises StoppedError soon after `stop` is set.
    """
    start, rhythm, looks = time.monotonic(), rhythm or Rhythm(), 0
    origin = rhythm.origin(start)
    bell = threading.Event()
    with ExitStack() as stack:
        watches = [stack.enter_context(store.watch(prefix, bell)) for store in stores]
        while True:
            stop_if_asked(stop)
            now, looks = time.monotonic(), looks + 1
            left = seconds - (now - start)
            if (found := ready()) is not None or left <= 0:
                rhythm.learn(origin, now, looks)
                return found
            told = all(watch.told for watch in watches)
            pause = SAFETY_SECONDS if told else _pause(now - origin, rhythm.expected)
            _listen(bell, min(pause, left), stop)


def _pause(waited: float, expected: float) -> float:
    quiet = expected * QUIET_SHARE - waited
    share = CLOSE_SHARE if waited < expected * DUE_SHARE else SHARE
    pause = quiet if quiet > 0 else waited * share
    # Jitter keeps the sites of a federation from asking in step. Never later than was meant: that is a delay.
    return min(max(FIRST_SECONDS, pause), LONGEST_SECONDS) * random.uniform(0.7, 1.0)


def _listen(bell: threading.Event, seconds: float, stop: threading.Event | None) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if bell.wait(min(left, STOP_SECONDS)) or (stop is not None and stop.is_set()):
            break
    bell.clear()
