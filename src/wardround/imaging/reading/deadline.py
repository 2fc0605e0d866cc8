"""A limit on the time that one file or frame may take, kept by the kernel.

A decoder that hangs holds the interpreter, so no thread or handler could stop it: the timer's signal, left at its
default action, ends the worker process, and the pool goes on without the file.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

# Seconds; set in worker processes only, since the signal ends the process.
_limits: list[float] = []
# What all steps of one piece of work may take together, in multiples of one step's limit, of the processor's time.
_ALL = 30


def set_limit(seconds: float) -> None:
    """Sets the limit of this worker process."""
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, signal.SIG_DFL)
    _limits[:] = [seconds]


def begin_piece() -> None:
    """From now on this worker process may take 30 times its limit of the processor's time (SIGPROF ends it).

    For what no single step bounds: frames without number, pictures in which text is looked for.
    """
    if _limits:
        signal.setitimer(signal.ITIMER_PROF, _ALL * _limits[0])


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
