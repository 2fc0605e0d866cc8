"""What every step of the coordinator shares: the run, its rules, its buckets and its members."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from wardround.coordinator.site_store import SiteStore
from wardround.exchange.layout import Layout
from wardround.exchange.records import Channel, Peer
from wardround.exchange.store import Exchange, Store

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rules:
    """The rules of a run. Durations in seconds; `positive`: the class whose AUROC counts, None for all.

    `measure`: val_auc, val_loss or val_accuracy, by which the champion is chosen; `patience`: evaluated
    models without a better one before training stops early, None for never. `evaluates`: whether the plan has a
    model that can be evaluated.
    """

    rounds: int
    quorum: int
    deadline_s: float
    join_deadline_s: float
    max_failed: int
    evaluate_every: int
    evaluates: bool
    per_site: bool
    positive: int | None
    seed: int
    measure: str = "val_auc"
    patience: int | None = None


@dataclass(frozen=True)
class Event:
    """Something that an observer may want to show. `figures` holds the outcome's, on `closed`."""

    kind: Literal["joined", "declined", "opened", "answered", "refused", "closed", "ended"]
    round: int = 0
    site: str | None = None
    text: str = ""
    figures: object = None


def log_event(event: Event) -> None:
    """The default observer: one log line."""
    site = f" {event.site}" if event.site else ""
    _LOG.info("round %d:%s %s%s", event.round, site, event.kind, f" ({event.text})" if event.text else "")


@dataclass(frozen=True)
class Run:
    """One run as the coordinator sees it. `spool`: a folder for files that may be lost.

    `exchange` waits for a server that is away; `direct`, the same one, does not: by it sites' buckets are read.
    `described`, `listed`: the SHA-256 of `run.json` and of the list of members, once the run is open.
    """

    channel: Channel
    rules: Rules
    exchange: Exchange
    direct: Exchange
    members: dict[str, Peer]
    spool: Path
    stop: threading.Event
    observe: Callable[[Event], None] = log_event
    described: str = ""
    listed: str = ""
    _sites: dict[str, SiteStore] = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        """The federation's buckets."""
        return Layout(self.channel.federation)

    @property
    def me(self) -> Peer:
        """The coordinator as the author of what it finds after a restart."""
        return self.channel.author

    @property
    def shared(self) -> Store:
        """The bucket that every site reads."""
        return self.exchange.store(self.layout.federation)

    @property
    def own(self) -> Store:
        """The coordinator's own bucket."""
        return self.exchange.store(self.layout.coordinator)

    def site(self, site: str) -> SiteStore:
        """The bucket of a site, to be read: what cannot be read there is refused, for it is the site's."""
        if site not in self._sites:
            store = self.direct.store(self.layout.site(site))
            self._sites[site] = SiteStore(store, self._exchange_answers, self.stop)
        return self._sites[site]

    def _exchange_answers(self) -> None:
        """Returns when my own bucket can be read. Raises what keeps me from it, after the patience of `exchange`."""
        self.own.exists(self.channel.keys.description)
