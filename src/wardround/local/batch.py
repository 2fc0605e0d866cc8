"""Several processes that each do one job, a few at a time, under one progress bar."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from wardround.local.children import Children, Ended, Mailbox, Progress, Task

Report = Callable[[int, int], None]


def run_batch(
    tasks: Sequence[Task],
    mark: Path,
    stop: threading.Event,
    *,
    at_once: int,
    report: Report = lambda done, total: None,
) -> None:
    """Runs all tasks, in this order. `report(done, total)` sums up what they print as progress.

    Raises ChildError for the first that fails, after the others were stopped; StoppedError.
    """
    mailbox: Mailbox[Progress | Ended] = Mailbox(stop)
    seen: dict[str, Progress] = {}
    waiting = list(tasks)
    with Children(mailbox.put, str(mark)) as children:
        for _ in range(min(at_once, len(waiting))):
            children.start(waiting.pop(0))
        for _ in tasks:
            _until_one_ends(mailbox, children, seen, report)
            if waiting:
                children.start(waiting.pop(0))


def _until_one_ends(
    mailbox: "Mailbox[Progress | Ended]", children: Children, seen: dict[str, Progress], report: Report
) -> None:
    while isinstance(event := mailbox.get(), Progress):
        seen[event.name] = event
        report(sum(each.done for each in seen.values()), sum(each.total for each in seen.values()))
    if event.code != 0:
        raise children.failure(event)
