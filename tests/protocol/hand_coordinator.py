"""A coordinator that the test plays by hand, with its real key and credential: it can say anything, and overwrite."""

import hashlib
import io
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from federation import FEDERATION, SITES, Federation, World
from minio import Minio

from wardround.coordinator.open import rules_of
from wardround.exchange.bucket_policy import nobody_deletes
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.exchange.membership import members_key
from wardround.exchange.messages import (
    FederationMessage,
    FinalMessage,
    Message,
    OutcomeMessage,
    RoundMessage,
    RunMessage,
    Seen,
    UpdateMessage,
)
from wardround.exchange.records import Channel, publish_tensors
from wardround.exchange.settings import from_environment
from wardround.exchange.store import Store, put_idempotent, wait_for_any
from wardround.plan.format import Plan
from wardround.plan.program import Broadcast, Program
from wardround.plan_store import publish_plan
from wardround.site.context import take_seat
from wardround.site.data import ShardedData
from wardround.site.take_part import Summary, take_part

EPOCH = 777_001  # lists of hostile runs must not be those of the other tests' federation


@dataclass
class HandCoordinator:
    """One run of it. `model`: what it broadcasts in every round; `sha`: the SHA-256 of what it has published."""

    federation: Federation
    plan: Plan
    model: Broadcast
    folder: Path
    epoch: int = EPOCH
    sha: dict[str, str] = field(default_factory=dict)

    @cached_property
    def channel(self) -> Channel:
        key = self.federation.world.key(COORDINATOR)
        return Channel(FEDERATION, self.federation.run, COORDINATOR, key, self.federation.digest)

    @cached_property
    def shared(self) -> Store:
        return self.federation.exchange(COORDINATOR).store(Layout(FEDERATION).federation)

    def describe(self, **changes: Any) -> RunMessage:
        """The honest description of a run of two rounds, with changes."""
        rules = rules_of(self.plan, {"rounds": 2, "quorum": 2})
        return RunMessage(
            plan_digest=self.federation.digest,
            epoch=self.epoch,
            rounds=rules.rounds,
            quorum=rules.quorum,
            deadline_s=60,
            join_deadline_s=60,
            evaluate_every=rules.evaluate_every,
            seed=rules.seed,
            started="2026-05-01T00:00:00+00:00",
        ).model_copy(update=changes)

    def open(self, **changes: Any) -> None:
        """Publishes the plan, the list of members and `run.json`."""
        publish_plan(self.shared, self.plan)
        listed = self.seal(self.members())
        put_idempotent(self.shared, members_key(self.epoch), listed)
        self.sha["members"] = sha256(listed)
        self.sha["run"] = self.channel.write(self.shared, self.describe(**changes))

    def members(self, **keys: str) -> FederationMessage:
        """The list, with other keys."""
        members = {site: self.federation.world.key(site).public.text for site in SITES} | keys
        return FederationMessage(
            name=FEDERATION, epoch=self.epoch, coordinator=self.channel.key.public.text, members=members
        )

    def invite(self, number: int, **changes: Any) -> RoundMessage:
        """An honest round's description; model `number - 1`, all sites, nothing evaluated in the first."""
        files, aliases = self.broadcast(number)
        given = {
            "purpose": "train",
            "model": number - 1,
            "splits": ("validation",) if number > 1 else (),
            "cohort": SITES,
            "aliases": aliases,
            "previous": self.sha.get(f"outcome {number - 1}"),
            **changes,
        }
        message = RoundMessage.model_validate(given)
        self.sha[f"round {number}"] = self.channel.write(self.shared, message, round=number, tensors=files)
        return message

    def broadcast(self, number: int, **changes: Any) -> tuple[dict[str, Any], dict[str, str]]:
        """Uploads the first model, the same in every round, with tensors changed."""
        prefix = self.channel.keys.round_prefix(number)
        files = publish_tensors(self.shared, prefix, self.folder, "broadcast", self.model.tensors | changes)
        return files, self.model.aliases

    def seen(self, number: int) -> Seen:
        """What it has published, honestly."""
        return Seen(round=self.sha[f"round {number}"], run=self.sha["run"], members=self.sha["members"])

    def claim(self, site: str, number: int) -> str:
        """A site's `update.json`, once it is there."""
        store = self.federation.exchange(COORDINATOR).store(Layout(FEDERATION).site(site))
        key = self.channel.where(UpdateMessage, number)
        assert wait_for_any(store, key, [key], seconds=90), f"{site} did not answer round {number}"
        return store.get(key, limit=1 << 20).decode()

    def conclude(self, number: int, accepted: tuple[str, ...], **changes: Any) -> None:
        """Publishes an outcome: honest, but for what is changed."""
        given = {
            "status": "completed",
            "model": number - 1,
            "accepted": accepted,
            "refused": (),
            "missing": (),
            "seen": self.seen(number),
            "claims": {site: self.claim(site, number) for site in accepted},
            **changes,
        }
        outcome = OutcomeMessage.model_construct(**given)
        self.sha[f"outcome {number}"] = self.channel.write(self.shared, outcome, round=number)

    def end(self, rounds: int, status: Literal["finished", "abandoned"] = "finished") -> None:
        """Publishes `final.json`."""
        final = FinalMessage(
            status=status, rounds=rounds, last=rounds, champion=0, measure="val_auc", metric=None
        )
        self.channel.write(self.shared, final)

    def overwrite(self, message: Message, round: int | None = None, **files: Any) -> str:
        """Puts another message over one that is there, as no honest coordinator does; returns its SHA-256."""
        data = self.seal(message, round, **files)
        listed = message.kind == "federation"
        key = members_key(self.epoch) if listed else self.channel.where(type(message), round)
        self.overwrite_bytes(key, data)
        return sha256(data)

    def overwrite_bytes(self, key: str, data: bytes) -> None:
        """The same with any bytes under any key of the federation's bucket, and nothing that tells of those before.

        Whoever owns a bucket can remove versions; and there are servers that keep none.
        """
        bucket = Layout(FEDERATION).federation
        client = remove(self.federation.world, bucket, key)
        client.put_object(bucket, key, io.BytesIO(data), len(data))

    def seal(self, message: Message, round: int | None = None, **files: Any) -> bytes:
        """The signed bytes of anything."""
        return self.channel.seal(message, round, files.get("tensors"))


@dataclass
class LiveSite:
    """A real site in this process: what `wardround site train` runs, without its lock."""

    federation: Federation
    site: str
    program: Program
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def work(self) -> Path:
        """Its folder of this run."""
        settings = self.federation.site_settings(self.site)
        return settings.work / FEDERATION / self.site / self.federation.run

    def play(self) -> Summary:
        """Takes part until the run ends."""
        settings = self.federation.site_settings(self.site)
        seat = take_seat(settings, self.federation.exchange(self.site), self.stop)
        return take_part(seat, ShardedData(settings.data), lambda plan: self.program)

    @contextmanager
    def playing(self) -> Iterator["Future[Summary]"]:
        """The same, while the block does something else."""
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(self.play)
            try:
                yield future
            finally:
                self.stop.set()
                self.stop = threading.Event()


def remove(world: World, bucket: str, key: str) -> Minio:
    """Removes every version of an object, and returns the client that did.

    The policy of a bucket forbids that, and its owner can take the policy away: a coordinator its own bucket's, and of
    any bucket whoever runs the server.
    """
    settings = from_environment(world.address, world.environment(COORDINATOR))
    secret = settings.secret_key.get_secret_value()
    client = Minio(settings.host, access_key=settings.access_key, secret_key=secret, secure=False)
    client.delete_bucket_policy(bucket)
    for each in list(client.list_objects(bucket, key, include_version=True)):
        client.remove_object(bucket, key, version_id=each.version_id)
    client.set_bucket_policy(bucket, nobody_deletes(bucket))
    return client


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
