"""How a run stands, from what lies in the exchange: whoever may read the federation's bucket may ask.

Every word is checked as sites check it, with the coordinator's key. What a site says of itself is in its own bucket,
which only the site and the coordinator may read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from wardround.errors import ConfigurationError, RefusedError
from wardround.exchange.envelope import PublicKey, SigningKey
from wardround.exchange.errors import DeniedError, MissingBucketError, MissingError
from wardround.exchange.layout import COORDINATOR, Layout, check_run
from wardround.exchange.membership import read_members
from wardround.exchange.messages import (
    DeclinedMessage,
    FinalMessage,
    JoinMessage,
    OutcomeMessage,
    RunMessage,
)
from wardround.exchange.records import Channel, Peer
from wardround.exchange.store import Exchange
from wardround.plan_store import fetch_manifest
from wardround.processes import load_settings

Word = Literal["joined", "declined", "silent", "unknown"]
_FIGURES = ("loss", "accuracy", "auroc")


class StatusSettings(BaseModel):
    """Those of a site's or a coordinator's settings that looking needs; other fields are passed over.

    A coordinator's settings have `key_file` and no `coordinator_key`: then it is the public half that counts.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    federation: str
    exchange: str
    coordinator_key: str | None = None
    key_file: Path | None = None
    outage_s: float = 20.0
    tracking_uri: str | None = None
    model_name: str | None = None

    @classmethod
    def load(cls, path: Path | None) -> "StatusSettings":
        """From a settings file, and variables WARDROUND_STATUS_<FIELD>. Raises ConfigurationError."""
        return load_settings(cls, path, "WARDROUND_STATUS_")

    def coordinator(self) -> Peer:
        """Whose words count. Raises ConfigurationError."""
        if self.coordinator_key is not None:
            return Peer(COORDINATOR, PublicKey(self.coordinator_key))
        if self.key_file is not None:
            return Peer(COORDINATOR, SigningKey.load(self.key_file).public)
        raise ConfigurationError("the coordinator's public key is not given; name settings that have it")


@dataclass(frozen=True)
class SiteStatus:
    """One member: what it said (`silent`: nothing; `unknown`: we may not look), and its code if it declined."""

    site: str
    word: Word
    code: str = ""


@dataclass(frozen=True)
class RoundStatus:
    """One round that closed. `figures`: of the model that was broadcast, on validation, over all sites."""

    round: int
    status: str
    model: int
    accepted: tuple[str, ...]
    refused: dict[str, str]
    missing: tuple[str, ...]
    declined: dict[str, str]
    figures: dict[str, float]


@dataclass(frozen=True)
class RunStatus:
    """A run as a whole. `state`: open, or as `final.json` ends it; `model_name`: in the registry."""

    federation: str
    run: str
    state: str
    started: str
    plan_digest: str
    rounds_wanted: int
    quorum: int
    sites: tuple[SiteStatus, ...]
    rounds: tuple[RoundStatus, ...]
    champion: int | None
    measure: str | None
    metric: float | None
    model_name: str
    registry: str | None


def read_status(settings: StatusSettings, exchange: Exchange, run: str) -> RunStatus:
    """How the run stands. Raises MissingError when it was never opened, RefusedError, and errors of the exchange."""
    reader = _Reader(settings, exchange, check_run(run))
    return reader.status()


class _Reader:
    def __init__(self, settings: StatusSettings, exchange: Exchange, run: str) -> None:
        self._settings, self._exchange = settings, exchange
        self._layout, self._coordinator = Layout(settings.federation), settings.coordinator()
        self._shared = exchange.store(self._layout.federation)
        # A reader signs nothing: any key will do.
        self._channel = Channel(settings.federation, run, "reader", SigningKey.generate())

    def status(self) -> RunStatus:
        described = self._described()
        bound = Channel(
            self._channel.federation, self._channel.run, "reader", self._channel.key, described.plan_digest
        )
        self._channel = bound
        members = read_members(bound, self._shared, described.epoch, self._coordinator).members
        final = self._final()
        return RunStatus(
            federation=bound.federation,
            run=bound.run,
            state=final.status if final else "open",
            started=described.started,
            plan_digest=described.plan_digest,
            rounds_wanted=described.rounds,
            quorum=described.quorum,
            sites=tuple(self._site(site, key) for site, key in sorted(members.items())),
            rounds=tuple(self._rounds()),
            champion=final.champion if final else None,
            measure=final.measure if final else None,
            metric=final.metric if final else None,
            model_name=self._settings.model_name
            or fetch_manifest(self._shared, described.plan_digest).recipe_model().name,
            registry=self._settings.tracking_uri,
        )

    def _described(self) -> RunMessage:
        try:
            return self._channel.read(self._shared, RunMessage, self._coordinator).message
        except MissingError as error:
            raise MissingError(
                f"run {self._channel.run!r} was not opened in bucket {self._shared.name!r}; check its name, or wait "
                "until the coordinator's first step has begun"
            ) from error

    def _final(self) -> FinalMessage | None:
        try:
            return self._channel.read(self._shared, FinalMessage, self._coordinator).message
        except MissingError:
            return None

    def _site(self, site: str, key: str) -> SiteStatus:
        store = self._exchange.store(self._layout.site(site))
        try:
            peer = Peer(site, PublicKey(key))
            if store.exists(self._channel.where(JoinMessage)):
                self._channel.read(store, JoinMessage, peer)
                return SiteStatus(site, "joined")
            code = self._channel.read(store, DeclinedMessage, peer).message.code
            return SiteStatus(site, "declined", code)
        except (MissingError, MissingBucketError):
            return SiteStatus(site, "silent")
        except DeniedError:
            return SiteStatus(site, "unknown")
        except RefusedError as error:
            return SiteStatus(site, "declined", error.code)

    def _rounds(self) -> Iterator[RoundStatus]:
        channel = self._channel
        there, number = set(self._shared.list(channel.keys.rounds)), 1
        while channel.where(OutcomeMessage, number) in there:
            yield _round(
                number, channel.read(self._shared, OutcomeMessage, self._coordinator, round=number).message
            )
            number += 1


def _round(number: int, outcome: OutcomeMessage) -> RoundStatus:
    measured = outcome.measured.evaluation.get("validation", {})
    figures = {name: measured.get(name) for name in _FIGURES}
    return RoundStatus(
        round=number,
        status=outcome.status,
        model=outcome.model,
        accepted=outcome.accepted,
        refused={refusal.site: refusal.code for refusal in outcome.refused},
        missing=outcome.missing,
        declined=outcome.declined,
        figures={
            name: float(value)
            for name, value in figures.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        },
    )
