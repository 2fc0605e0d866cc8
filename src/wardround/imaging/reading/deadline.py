"""A limit on the time that one file or frame may take, kept by the kernel.

A decoder that hangs holds the interpreter, so no thread or handler could stop it: the timer's signal, left at its
default action, ends the worker process, and the pool goes on without the file.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

# Seconds; set in worker processes only, since the signal ends the process.
_limits: list[float] = []


def set_limit(seconds: float) -> None:
    """Sets the limit of this worker process."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _limits[:] = [seconds]


@contextmanager
def limited() -> Iterator[None]:
    """Ends this worker process (SIGALRM) if the block takes longer than its limit; elsewhere does nothing."""
    if not _limits:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, _limits[0])
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
