"""What every step of a site shares: the run, the two buckets that it uses, and its folder."""

import threading
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from wardround.exchange.envelope import PublicKey, SigningKey
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.exchange.records import Channel, Peer
from wardround.exchange.store import Exchange, Store
from wardround.exchange.waiting import Rhythm
from wardround.private_files import keep_private, tighten
from wardround.site.memory import Memory
from wardround.site.settings import SiteSettings

# Beside the folders of runs, none of which can have this name.
FEDERATION_WORK = "_federation"


@dataclass(frozen=True)
class Seat:
    """A site's place in one run. `work`: its folder for this run; `rhythm`: how long rounds are in coming."""

    channel: Channel
    coordinator: Peer
    exchange: Exchange
    work: Path
    settings: SiteSettings
    stop: threading.Event
    rhythm: Rhythm = field(default_factory=lambda: Rhythm(periodic=True))

    @property
    def site(self) -> str:
        """The site's name."""
        return self.channel.me

    @property
    def shared(self) -> Store:
        """The federation's bucket."""
        return self.exchange.store(Layout(self.channel.federation).federation)

    @property
    def own(self) -> Store:
        """The site's own bucket."""
        return self.exchange.store(Layout(self.channel.federation).site(self.site))

    @property
    def federation_work(self) -> Path:
        """The site's folder for what it keeps over all runs; no run can have its name."""
        return self.work.parent / FEDERATION_WORK

    @cached_property
    def memory(self) -> Memory:
        """What the coordinator has shown to this site in this run."""
        return Memory(self.work)

    def bound_to(self, digest: str) -> "Seat":
        """The same seat, with everything it signs and reads bound to a plan."""
        return replace(self, channel=replace(self.channel, digest=digest))


def take_seat(settings: SiteSettings, exchange: Exchange, stop: threading.Event) -> Seat:
    """The seat that settings describe; makes its folder, for this user alone. Raises ConfigurationError, RefusedError.

    All steps of a site pass here, so from here on all that they make is private (`private_files`).
    """
    keep_private()
    work = settings.work / settings.federation / settings.site / settings.run
    work.mkdir(parents=True, exist_ok=True)
    tighten(settings.work / settings.federation)
    key = SigningKey.load(settings.key_file)
    return Seat(
        channel=Channel(settings.federation, settings.run, settings.site, key),
        coordinator=Peer(COORDINATOR, PublicKey(settings.coordinator_key)),
        exchange=exchange,
        work=work,
        settings=settings,
        stop=stop,
    )
