"""Rounds in which every site is played by hand and the coordinator is a real one, in a thread of the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from federation import Federation
from hand import HandSite

from wardround.coordinator.commands import aggregate
from wardround.coordinator.settings import CoordinatorSettings
from wardround.errors import StoppedError
from wardround.exchange.layout import COORDINATOR
from wardround.exchange.messages import FinalMessage

EXAMPLES = {"train": 40, "validation": 40, "test": 40}


@dataclass
class Running:
    """A coordinator in a thread; `result` is its end, or what it raised."""

    stop: threading.Event = field(default_factory=threading.Event)
    result: FinalMessage | BaseException | None = None

    def play(self, settings: CoordinatorSettings) -> None:
        try:
            self.result = aggregate(settings, self.stop)
        except BaseException as error:
            self.result = error


@contextmanager
def coordinator(
    federation: Federation, monkeypatch: pytest.MonkeyPatch, address: str | None = None
) -> Iterator[Running]:
    """A coordinator that plays while the block does, at another address of the exchange if one is given."""
    for name, value in federation.world.environment(COORDINATOR).items():
        monkeypatch.setenv(name, value)
    settings = federation.coordinator_settings()
    if address is not None:
        settings = settings.model_copy(update={"exchange": address})
    running = Running()
    thread = threading.Thread(target=running.play, args=(settings,))
    thread.start()
    try:
        yield running
        thread.join(120)
        assert not thread.is_alive(), "the coordinator still plays"
    finally:
        running.stop.set()
        thread.join(30)
    if isinstance(running.result, BaseException) and not isinstance(running.result, StoppedError):
        raise running.result


def hand_sites(federation: Federation, folder: Path, sites: tuple[str, ...]) -> list[HandSite]:
    """Sites by hand, one program for all of them."""
    hands = [HandSite(federation, site, folder / site) for site in sites]
    for hand in hands:
        hand.folder.mkdir(parents=True, exist_ok=True)
        hand.__dict__["program"] = hands[0].program
    return hands


def honest(hand: HandSite, number: int, seed: int) -> dict[str, np.ndarray]:
    """An update that a site with 8 examples may send: small changes, and figures that agree with each other."""
    opened = hand.wait_round(number)
    update, generator = hand.zeros(opened), np.random.default_rng([seed, number])
    for name, value in update.items():
        if name.startswith("train/") and value.ndim:
            update[name] = generator.normal(0, 0.1, value.shape).astype(value.dtype) * 8
    if opened.message.purpose == "train":
        update |= {key: np.asarray(value, update[key].dtype) for key, value in TRAINED.items()}
    return update


# Figures of a fedavg plan without clipping (`compiler.roles` says what each leaf is).
TRAINED = {
    "train/plain/0/loss_sum": 4.5,
    "train/plain/0/correct": 5,
    "train/plain/0/num_examples": 8,
    "train/plain/2": 8.0,
}


def send(hand: HandSite, number: int, update: dict[str, np.ndarray]) -> None:
    """Answers a round with an update."""
    opened = hand.wait_round(number)
    hand.say(number, hand.message(opened), hand.upload(number, update))
