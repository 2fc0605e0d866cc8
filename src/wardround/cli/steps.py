"""What the steps of both sides share: values that must be given, and progress for people and for logs."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from wardround.errors import ConfigurationError

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_SHARE = 0.1


def required(name: str, value: T | None) -> T:
    """A value that has no default. Raises ConfigurationError."""
    if value is None:
        raise ConfigurationError(f"--{name.replace('_', '-')} is not given; the step needs it")
    return value


@contextmanager
def shown_progress() -> Iterator[Callable[[str, int, int], None]]:
    """A function of (stage, done, total): bars on a terminal, elsewhere a log line each tenth."""
    from rich.console import Console

    from wardround.private_process import shown_stream

    console = Console(file=shown_stream())
    if not console.is_terminal:
        yield LoggedProgress()
        return
    from rich.progress import Progress, TaskID

    with Progress(console=console) as progress:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done, total=total)

        yield show


class LoggedProgress:
    """Log lines: the first, the last, and one for each further tenth."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        share = done / total if total else 1.0
        if stage not in self._said or share >= min(1.0, self._said[stage] + _SHARE):
            if self._said.get(stage) != share:
                _LOG.info("%s: %d of %d", stage, done, total)
            self._said[stage] = share
