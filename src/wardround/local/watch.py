"""What can be seen of a run in its buckets, with the coordinator's credentials: rounds, answers, figures."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from wardround.exchange.errors import MissingError
from wardround.exchange.layout import Layout
from wardround.exchange.messages import FinalMessage, JoinMessage, OutcomeMessage, RoundMessage, UpdateMessage
from wardround.exchange.records import Channel, Peer
from wardround.exchange.store import Exchange, Store
from wardround.exchange.waiting import wait_until

# The whole run may be waited for; the end of the processes ends the watch earlier.
_FOREVER = 30 * 86400.0


@dataclass(frozen=True)
class Row:
    """A round. `auroc` and `by_site` are of the model that it made, which the next round measures."""

    number: int
    purpose: str
    status: str
    answered: tuple[str, ...]
    asked: int
    refused: tuple[str, ...] = ()
    loss: float | None = None
    seconds: float | None = None
    auroc: float | None = None
    by_site: Mapping[str, float | None] | None = None


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment: who has joined, its rounds, and its end if it has ended."""

    joined: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    final: FinalMessage | None = None


class RunView:
    """Reads a run. What was read once is kept: objects are never overwritten."""

    def __init__(
        self, exchange: Exchange, channel: Channel, sites: tuple[str, ...], coordinator: Peer
    ) -> None:
        layout = Layout(channel.federation)
        self._channel = channel
        self._coordinator = coordinator
        self._shared = exchange.store(layout.federation)
        self._sites = {site: exchange.store(layout.site(site)) for site in sites}
        self._joined: list[str] = []
        self._rows: list[Row] = []
        self._open: Row | None = None
        self._final: FinalMessage | None = None

    @property
    def stores(self) -> tuple[Store, ...]:
        """The buckets that are looked at."""
        return (self._shared, *self._sites.values())

    @property
    def prefix(self) -> str:
        """The prefix of everything in the run."""
        return self._channel.keys.prefix

    def look(self) -> Snapshot:
        """The run now; a few small requests. Raises RefusedError for a message that is not the coordinator's."""
        if len(self._joined) < len(self._sites) and not self._rows:
            self._joined = [
                s for s, store in self._sites.items() if store.exists(self._channel.where(JoinMessage))
            ]
        while self._advance():
            pass
        self._open = self._open and self._answers(self._open)
        if self._final is None:
            self._final = self._read_final()
        return Snapshot(tuple(self._joined), self.rows(), self._final)

    def rows(self) -> tuple[Row, ...]:
        """All rounds so far, the open one last."""
        return (*self._rows, *([self._open] if self._open else []))

    def _advance(self) -> bool:
        """Reads the next message of the next round; False when it is not there yet."""
        number = len(self._rows) + 1
        try:
            if self._open is None:
                opened = self._channel.read(
                    self._shared, RoundMessage, self._coordinator, round=number
                ).message
                self._open = Row(number, opened.purpose, "open", (), len(opened.cohort))
            outcome = self._channel.read(
                self._shared, OutcomeMessage, self._coordinator, round=number
            ).message
        except MissingError:
            return False
        self._rows = [_with_metrics(row, outcome) for row in self._rows]
        self._rows.append(_closed(self._open, outcome))
        self._open = None
        return True

    def _answers(self, row: Row) -> Row:
        key = self._channel.where(UpdateMessage, row.number)
        answered = tuple(s for s, store in self._sites.items() if s in row.answered or store.exists(key))
        return replace(row, answered=answered)

    def _read_final(self) -> FinalMessage | None:
        try:
            return self._channel.read(self._shared, FinalMessage, self._coordinator).message
        except MissingError:
            return None


def follow(view: RunView, tell: Callable[[Snapshot], None], stop: threading.Event) -> None:
    """Tells every change until the run has ended. Raises StoppedError, and the errors of `look`."""
    last: Snapshot | None = None

    def changed() -> Snapshot | None:
        now = view.look()
        return now if now != last else None

    while last is None or last.final is None:
        last = wait_until(view.stores, changed, seconds=_FOREVER, stop=stop, prefix=view.prefix)
        if last is None:
            return
        tell(last)


def _closed(row: Row, outcome: OutcomeMessage) -> Row:
    return replace(
        row,
        status=outcome.status,
        answered=outcome.accepted,
        refused=tuple(refusal.site for refusal in outcome.refused),
        loss=_number(outcome.measured.measurements.get("loss")),
        seconds=sum(outcome.seconds.values()),
    )


def _with_metrics(row: Row, outcome: OutcomeMessage) -> Row:
    found = outcome.measured.evaluation.get("validation")
    if found is None or outcome.model != row.number:
        return row
    sites = outcome.measured.per_site
    by_site = {site: _number(splits.get("validation", {}).get("auroc")) for site, splits in sites.items()}
    return replace(row, auroc=_number(found.get("auroc")), by_site=by_site or None)


def _number(value: JsonValue) -> float | None:
    return float(value) if isinstance(value, int | float) else None
