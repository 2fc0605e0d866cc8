"""A site that the test plays by hand, honestly or not."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from federation import FEDERATION, Federation

from wardround.exchange.envelope import SigningKey, TensorFile
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.exchange.membership import fetch_members
from wardround.exchange.messages import (
    JoinMessage,
    Message,
    OutcomeMessage,
    RoundMessage,
    RunMessage,
    Seen,
    UpdateMessage,
)
from wardround.exchange.records import Channel, Peer, Record, publish_tensors
from wardround.exchange.store import Store, wait_for_any
from wardround.plan.format import load_plan
from wardround.plan.program import Program


@dataclass
class HandSite:
    """One site's key and buckets, and nothing that keeps it from lying."""

    federation: Federation
    site: str
    folder: Path
    key: SigningKey | None = None
    sent: dict[int, Record[RoundMessage]] = field(default_factory=dict)

    @cached_property
    def channel(self) -> Channel:
        key = self.key or self.federation.world.key(self.site)
        return Channel(FEDERATION, self.federation.run, self.site, key, self.federation.digest)

    @cached_property
    def coordinator(self) -> Peer:
        return Peer(COORDINATOR, self.federation.world.key(COORDINATOR).public)

    @cached_property
    def program(self) -> Program:
        return Program(load_plan(self.federation.world.plan), threads=1)

    @cached_property
    def own(self) -> Store:
        return self.federation.exchange(self.site).store(Layout(FEDERATION).site(self.site))

    @cached_property
    def shared(self) -> Store:
        return self.federation.exchange(self.site).store(Layout(FEDERATION).federation)

    def join(self, **changes: Any) -> None:
        """Writes `join.json`."""
        message = JoinMessage(
            approved=self.federation.digest, public_key=self.channel.key.public.text, examples={"train": 1}
        )
        self._wait_for(self.channel.keys.description)
        self.channel.write(self.own, message.model_copy(update=changes))

    def wait_round(self, number: int) -> Record[RoundMessage]:
        """The description of a round, once it is open."""
        self._wait_for(self.channel.where(RoundMessage, number))
        return self.channel.read(self.shared, RoundMessage, self.coordinator, round=number)

    def wait_outcome(self, number: int) -> OutcomeMessage:
        """The outcome of a round, once it has closed."""
        self._wait_for(self.channel.where(OutcomeMessage, number))
        return self.channel.read(self.shared, OutcomeMessage, self.coordinator, round=number).message

    def zeros(self, opened: Record[RoundMessage]) -> dict[str, np.ndarray]:
        """An update of the legal shapes in which nothing was learned from one example."""
        spec = self.program.update_spec(opened.message.parts())
        return {name: np.zeros(tensor.shape, tensor.dtype) for name, tensor in spec.items()}

    def message(self, opened: Record[RoundMessage]) -> UpdateMessage:
        """The message of an honest answer."""
        return UpdateMessage(
            site=self.site, broadcast=opened.file("broadcast")[1].sha256, seen=self.seen(opened)
        )

    def seen(self, opened: Record[RoundMessage]) -> Seen:
        """What an honest site says that it saw."""
        run = self.channel.read(self.shared, RunMessage, self.coordinator)
        members = fetch_members(self.channel, self.shared, run.message.epoch, self.coordinator)
        return Seen(round=opened.digest, run=run.digest, members=members.digest)

    def upload(self, number: int, tensors: dict[str, np.ndarray]) -> dict[str, TensorFile]:
        """Uploads an update's file."""
        return publish_tensors(
            self.own, self.channel.keys.round_prefix(number), self.folder, "update", tensors
        )

    def say(
        self, number: int, message: Message, files: dict[str, TensorFile], channel: Channel | None = None
    ) -> None:
        """Writes `update.json`, signed as `channel` says."""
        (channel or self.channel).write(self.own, message, round=number, tensors=files)

    def say_bytes(self, number: int, data: bytes) -> None:
        """Writes anything as `update.json`."""
        self.own.put_new(self.channel.where(UpdateMessage, number), data)

    def answer(self, number: int) -> None:
        """An honest answer, of zeros."""
        opened = self.wait_round(number)
        self.say(number, self.message(opened), self.upload(number, self.zeros(opened)))

    def other(self, **changes: Any) -> Channel:
        """This site's channel with something changed."""
        return replace(self.channel, **changes)

    def _wait_for(self, key: str) -> None:
        if wait_for_any(self.shared, key, [key], seconds=90) is None:
            raise AssertionError(f"{key} did not appear")
