"""The run on a terminal: a table that grows, or plain lines where nobody looks at a terminal."""

from collections.abc import Iterable
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from wardround.local.watch import Row, Snapshot
from wardround.text import for_rich, foreign

_LINE = 1000

# Rows that the title, the head and what the demo has printed before need.
_MARGIN = 8
_STYLES = {"open": "cyan", "completed": "green", "evaluated": "green", "failed": "red"}


class Display(Protocol):
    """Shows a run as it goes; a context manager."""

    def __enter__(self) -> "Display": ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, snapshot: Snapshot) -> None:
        """The run has changed."""


def display(console: Console, sites: tuple[str, ...], title: str) -> Display:
    """A live table on a terminal, log lines elsewhere."""
    return LiveTable(console, sites, title) if console.is_terminal else Lines(console)


class LiveTable:
    """A table that is redrawn in place; its last state stays."""

    def __init__(self, console: Console, sites: tuple[str, ...], title: str) -> None:
        self._sites = sites
        self._title = title
        self._height = max(console.height - _MARGIN, 4)
        self._live = Live(self._table(Snapshot()), console=console, refresh_per_second=4)

    def __enter__(self) -> "LiveTable":
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, snapshot: Snapshot) -> None:
        """Redraws; of a long run the newest rounds."""
        self._live.update(self._table(snapshot), refresh=True)

    def _table(self, snapshot: Snapshot) -> Table:
        return rounds_table(snapshot, self._sites, self._title, self._height)


class Lines:
    """One line for each change that matters."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._joined = 0
        self._closed = 0
        self._measured: set[int] = set()

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, snapshot: Snapshot) -> None:
        """Prints what is new."""
        if len(snapshot.joined) > self._joined:
            self._print([f"joined: {', '.join(snapshot.joined)}"])
        closed = [row for row in snapshot.rows if row.status != "open"]
        self._print(closed_line(row) for row in closed[self._closed :])
        measured = [
            row for row in snapshot.rows if row.auroc is not None and row.number not in self._measured
        ]
        self._print(measured_line(row) for row in measured)
        self._joined, self._closed = len(snapshot.joined), len(closed)
        self._measured |= {row.number for row in measured}

    def _print(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._console.print(for_rich(line, _LINE), highlight=False, soft_wrap=True)


def rounds_table(snapshot: Snapshot, sites: tuple[str, ...], title: str, height: int) -> Table:
    """The newest `height` rounds. AUROC stands in the row of the round that made the model."""
    table = Table(title=for_rich(f"{title} · {_stage(snapshot, len(sites))}"), title_justify="left")
    for heading in ("round", "status", "sites", "training loss", "AUROC", *sites, "seconds"):
        table.add_column(for_rich(heading), justify="left" if heading == "status" else "right")
    for row in snapshot.rows[-height:]:
        table.add_row(*_cells(row, sites))
    return table


def closed_line(row: Row) -> str:
    """A round that closed, in one line."""
    refused = f", refused: {', '.join(row.refused)}" if row.refused else ""
    loss = "" if row.loss is None else f", training loss {row.loss:.3f}"
    purpose = "" if row.purpose == "train" else " (final evaluation)"
    return (
        f"round {row.number}{purpose}: {row.status}, {len(row.answered)}/{row.asked} sites{refused}{loss}, "
        f"{_text(row.seconds, 1)} s"
    )


def measured_line(row: Row) -> str:
    """What the validation patients said of a round's model."""
    each = ", ".join(f"{site} {_text(value)}" for site, value in (row.by_site or {}).items())
    return f"model {row.number}: validation AUROC {_text(row.auroc)}" + (f" ({each})" if each else "")


def _stage(snapshot: Snapshot, sites: int) -> str:
    if snapshot.final is not None:
        return snapshot.final.status
    if not snapshot.rows:
        return f"{len(snapshot.joined)} of {sites} sites have joined"
    return "running"


def _cells(row: Row, sites: tuple[str, ...]) -> tuple[str | Text, ...]:
    each = [_text((row.by_site or {}).get(site)) for site in sites]
    status = row.status + (f" (refused: {', '.join(row.refused)})" if row.refused else "")
    if row.purpose == "evaluate" and row.status == "open":
        status = "final evaluation"
    coloured = Text(foreign(status), style=_STYLES[row.status])
    count = f"{len(row.answered)}/{row.asked}"
    return (str(row.number), coloured, count, _text(row.loss), _text(row.auroc), *each, _text(row.seconds, 1))


def _text(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
