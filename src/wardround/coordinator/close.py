"""From a round's collected updates to its outcome."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from wardround.coordinator.aggregate import Tally
from wardround.coordinator.check import Desk
from wardround.coordinator.collect import Collector
from wardround.coordinator.context import Run
from wardround.coordinator.members import Members
from wardround.coordinator.rounds import Model, OpenRound
from wardround.coordinator.states import find_state, read_state, write_state
from wardround.exchange.envelope import TensorFile
from wardround.exchange.errors import MissingError
from wardround.exchange.messages import CollectedMessage, Measured, OutcomeMessage
from wardround.plan.process import Tensors
from wardround.plan.program import Program


@dataclass
class Clock:
    """Seconds that each phase of a round took in this process."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Adds the time of the block to a phase."""
        start = time.monotonic()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start


def play_round(
    run: Run, program: Program, opened: OpenRound, model: Model, members: Members, clock: Clock
) -> tuple[OutcomeMessage, Model]:
    """Collects, adds up and publishes the outcome of an open round; returns it and the newest model.

    Killed anywhere and called again, it goes on after the last thing that it wrote.
    """
    desk = Desk(run, program, opened)
    rules = run.rules
    tally = Tally(program, opened, model, per_site=rules.per_site, positive=rules.positive)
    with clock.phase("collect"):
        collected = _decide(run, opened, desk, tally, members)
    measured, newest = Measured(), model
    if len(collected.accepted) >= rules.quorum:
        with clock.phase("aggregate"):
            measured, newest = _compute(run, program, opened, desk, tally, collected, model)
    desk.clear()
    outcome = _outcome(opened, collected, measured, rules.quorum, clock)
    run.channel.write(run.shared, outcome, round=opened.number)
    return outcome, newest


def _decide(run: Run, opened: OpenRound, desk: Desk, tally: Tally, members: Members) -> CollectedMessage:
    try:
        return run.channel.read(run.own, CollectedMessage, run.me, round=opened.number).message
    except MissingError:
        collected = Collector(run, opened, desk, tally, members).collect()
    run.channel.write(run.own, collected, round=opened.number)
    return collected


def _compute(
    run: Run,
    program: Program,
    opened: OpenRound,
    desk: Desk,
    tally: Tally,
    collected: CollectedMessage,
    model: Model,
) -> tuple[Measured, Model]:
    written = find_state(run, opened.number)
    if written is not None:
        return written.message.measured, Model(opened.number, read_state(run, program, opened.number))
    tally.advance(sorted(collected.accepted), partial(_load, desk, collected))
    state, measured = tally.result()
    if state is None:
        return measured, model
    write_state(run, opened.number, state, measured)
    return measured, Model(opened.number, state)


def _load(desk: Desk, collected: CollectedMessage, site: str) -> Tensors:
    accepted = collected.accepted[site]
    spooled = desk.download(site, accepted.file, TensorFile(sha256=accepted.sha256, size=accepted.size))
    return desk.read(spooled)


def _status(opened: OpenRound, reached: bool) -> Literal["completed", "evaluated", "failed"]:
    if not reached:
        return "failed"
    return "completed" if opened.message.purpose == "train" else "evaluated"


def _outcome(
    opened: OpenRound, collected: CollectedMessage, measured: Measured, quorum: int, clock: Clock
) -> OutcomeMessage:
    return OutcomeMessage(
        status=_status(opened, len(collected.accepted) >= quorum),
        model=opened.message.model,
        accepted=tuple(sorted(collected.accepted)),
        refused=collected.refused,
        missing=collected.missing,
        measured=measured,
        seconds=clock.seconds,
    )
