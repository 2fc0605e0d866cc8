"""A small federation for tests: one S3 server, three hospitals with a few images, one plan."""

import multiprocessing
import multiprocessing.context
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import actors
import numpy as np
from killing import Deaths

from wardround.coordinator.commands import make_run
from wardround.coordinator.context import Run
from wardround.coordinator.history import read_history
from wardround.coordinator.settings import CoordinatorSettings
from wardround.exchange.envelope import SigningKey
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.exchange.messages import OutcomeMessage, StateMessage
from wardround.exchange.s3 import S3Exchange
from wardround.exchange.settings import from_environment
from wardround.imaging.shards import write_dataset
from wardround.local.seaweed import SeaweedServer, federation_identities
from wardround.plan.format import load_plan
from wardround.site.settings import SiteSettings

FEDERATION = "ward"
SITES = ("alder", "birch", "cedar")
SIZES = {"alder": 24, "birch": 40, "cedar": 33}  # different: then a sum shows in which order it was made
WAIT = 120.0

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["wardround.coordinator.commands", "wardround.site.commands"])


@dataclass(frozen=True)
class World:
    """What several runs share: the server, keys, data and a plan."""

    folder: Path
    address: str
    plan: Path

    def environment(self, name: str) -> dict[str, str]:
        """The S3 identity of one party."""
        return {"WARDROUND_S3_CREDENTIALS_FILE": str(self.folder / "identities" / f"{name}.json")}

    def key(self, name: str) -> SigningKey:
        """A party's signing key."""
        return SigningKey.load(self.folder / f"{name}.pem")


@contextmanager
def make_world(folder: Path, plan: Path) -> Iterator[World]:
    """A world whose server runs until the block ends."""
    identities = federation_identities(Layout(FEDERATION), SITES, folder / "identities")
    for name in (COORDINATOR, *SITES):
        SigningKey.generate().save(folder / f"{name}.pem")
    for number, site in enumerate(SITES):
        write_dataset(folder / "data" / site, _images(SIZES[site], number), labels=["normal", "opacity"])
    with SeaweedServer(folder / "server", identities.values()) as server:
        world = World(folder, server.endpoint, plan)
        _create_buckets(world)
        yield world


def _create_buckets(world: World) -> None:
    """As a coordinator does; tests play sites by hand that would not wait for it."""
    layout = Layout(FEDERATION)
    exchange = S3Exchange(from_environment(world.address, world.environment(COORDINATOR)))
    for name in (layout.federation, layout.coordinator, *map(layout.site, SITES)):
        exchange.create_bucket(name)


def _images(count: int, seed: int) -> dict[str, tuple[Any, Any]]:
    """Noise of 8x8 pixels, a little brighter in the upper half where the label is 1."""
    generator = np.random.default_rng(seed)
    splits = {}
    for name, size in (("train", count), ("validation", count), ("test", count)):
        labels = np.arange(size) % 2
        images = generator.normal(110, 40, (size, 8, 8, 1))
        images[labels == 1, :4] += 25
        splits[name] = (np.clip(images, 0, 255).astype(np.uint8), labels)
    return splits


@dataclass
class Actor:
    """A process of the federation; `text()` is what it logged so far."""

    process: multiprocessing.context.ForkServerProcess
    output: Path

    def wait(self, seconds: float = WAIT) -> int | None:
        """The exit code; negative for a signal; None if it still runs."""
        self.process.join(seconds)
        return self.process.exitcode

    def text(self) -> str:
        return self.output.read_text()


@dataclass
class Federation:
    """One run in a world. Processes that it started end with `close`."""

    world: World
    run: str
    changes: dict[str, Any] = field(default_factory=dict)
    site_changes: dict[str, Any] = field(default_factory=dict)
    actors: list[Actor] = field(default_factory=list)

    @cached_property
    def folder(self) -> Path:
        folder = self.world.folder / "runs" / self.run
        folder.mkdir(parents=True)
        return folder

    @cached_property
    def digest(self) -> str:
        return load_plan(self.world.plan).digest

    def coordinator_settings(self) -> CoordinatorSettings:
        rules = {"rounds": 2, "quorum": 2, "deadline_s": 60, "join_deadline_s": 60}
        members = {site: self.world.key(site).public.text for site in SITES}
        fields = {"plan": self.world.plan, "members": members, **rules, **self.changes}
        return CoordinatorSettings(
            federation=FEDERATION,
            run=self.run,
            exchange=self.world.address,
            key_file=self.world.folder / f"{COORDINATOR}.pem",
            work=self.folder / COORDINATOR,
            threads=1,
            **fields,
        )

    def site_settings(self, site: str) -> SiteSettings:
        fields = {
            "approved_digests": (self.digest,),
            "verify": "never",  # or each site of each test would compile the plan again
            "start_wait_s": 60,
            "round_wait_s": 60,
            **self.site_changes,
        }
        return SiteSettings(
            federation=FEDERATION,
            site=site,
            run=self.run,
            exchange=self.world.address,
            key_file=self.world.folder / f"{site}.pem",
            coordinator_key=self.world.key(COORDINATOR).public.text,
            data=self.world.folder / "data" / site,
            work=self.folder / site,
            threads=1,
            **fields,
        )

    def start_coordinator(self, deaths: Deaths | None = None) -> Actor:
        return self._start(actors.coordinate, COORDINATOR, self.coordinator_settings(), deaths)

    def start_site(self, site: str, deaths: Deaths | None = None) -> Actor:
        return self._start(actors.train, site, self.site_settings(site), deaths)

    def start_all(self, sites: tuple[str, ...] = SITES) -> list[Actor]:
        """The coordinator, then the sites."""
        return [self.start_coordinator(), *map(self.start_site, sites)]

    def _start(self, target: Any, name: str, settings: Any, deaths: Deaths | None) -> Actor:
        output = self.folder / f"{name}.log"
        process = _CONTEXT.Process(
            target=target, args=(settings, output, self.world.environment(name), deaths)
        )
        process.start()
        self.actors.append(Actor(process, output))
        return self.actors[-1]

    def close(self) -> None:
        for actor in self.actors:
            actor.process.kill()
            actor.process.join()

    @cached_property
    def view(self) -> Run:
        """The run as its coordinator sees it, to look into the buckets with."""
        import threading

        before = dict(os.environ)
        os.environ.update(self.world.environment(COORDINATOR))
        try:
            return make_run(self.coordinator_settings(), load_plan(self.world.plan), threading.Event())
        finally:
            os.environ.clear()
            os.environ.update(before)

    def outcomes(self) -> tuple[OutcomeMessage, ...]:
        """All outcomes so far."""
        return read_history(self.view.channel, self.view.shared).outcomes

    def state(self, number: int) -> bytes:
        """The bytes of the server state that a round made."""
        view = self.view
        name, file = view.channel.read(view.own, StateMessage, view.me, round=number).file("state")
        return view.own.get(view.channel.keys.round_file(number, name), limit=file.size)

    def exchange(self, name: str) -> S3Exchange:
        """The exchange as one party sees it."""
        return S3Exchange(from_environment(self.world.address, self.world.environment(name)))
