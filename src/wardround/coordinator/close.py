"""From a round's collected updates to its outcome.

What does not depend on each other is written at the same time, in one thread beside this one: the decision while
the sums are finished, and the next round's broadcast while the state goes to its bucket. The marks keep their
order: `collected.json`, `state.json`, `outcome.json`, and then the next `round.json`.
"""

import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from wardround.coordinator.aggregate import Tally
from wardround.coordinator.check import Desk
from wardround.coordinator.collect import Collector
from wardround.coordinator.context import Run
from wardround.coordinator.members import Members
from wardround.coordinator.rounds import Model, OpenRound, draft_round
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
) -> tuple[OutcomeMessage, str, Model]:
    """Collects, adds up and publishes the outcome of an open round; returns it, its bytes' SHA-256 and the newest model.

    Killed anywhere and called again, it goes on after the last thing that it wrote.
    """
    rules = run.rules
    tally = Tally(program, opened, model, per_site=rules.per_site, positive=rules.positive)
    with ThreadPoolExecutor(1, thread_name_prefix="beside") as beside:
        closing = _Closing(run, program, opened, model, tally, beside)
        outcome, newest = closing.close(members, clock)
    digest = run.channel.write(run.shared, outcome, round=opened.number)
    return outcome, digest, newest


class _Closing:
    """One round's end; `beside` runs what may be done at the same time."""

    def __init__(
        self,
        run: Run,
        program: Program,
        opened: OpenRound,
        model: Model,
        tally: Tally,
        beside: Executor,
    ) -> None:
        self._run, self._program, self._round = run, program, opened
        self._model, self._tally, self._beside = model, tally, beside
        self._desk = Desk(run, program, opened)

    def close(self, members: Members, clock: Clock) -> tuple[OutcomeMessage, Model]:
        """The outcome, not yet published, of what is in the buckets, and the newest model."""
        with clock.phase("collect"):
            collected, recorded = self._decide(members)
        measured, newest = Measured(), self._model
        reached = len(collected.accepted) >= self._run.rules.quorum
        with clock.phase("aggregate"):
            if reached:
                measured, newest = self._compute(collected, recorded)
            recorded.result()
        self._desk.clear()
        return _outcome(self._run, self._round, collected, measured, reached, clock), newest

    def _decide(self, members: Members) -> tuple[CollectedMessage, "Future[str]"]:
        """Who is counted, and the writing of that to the bucket, which no state may come before."""
        run, number = self._run, self._round.number
        try:
            found = run.channel.read(run.own, CollectedMessage, run.me, round=number).message
            return found, self._beside.submit(lambda: "")
        except MissingError:
            collected = Collector(run, self._round, self._desk, self._tally, members).collect()
        return collected, self._beside.submit(run.channel.write, run.own, collected, round=number)

    def _compute(self, collected: CollectedMessage, recorded: "Future[str]") -> tuple[Measured, Model]:
        run, program, number = self._run, self._program, self._round.number
        if (written := find_state(run, number)) is not None:
            return written.message.measured, Model(number, read_state(run, program, number))
        self._tally.advance(sorted(collected.accepted), lambda site: self._load(collected, site))
        state, measured = self._tally.result()
        if state is None:
            return measured, self._model
        # A wasted upload if training ends here and nothing is evaluated; otherwise the next round opens sooner.
        drafted = self._beside.submit(draft_round, run, program, number + 1, state)
        recorded.result()
        write_state(run, number, state, measured)
        return measured, Model(number, state, drafted.result())

    def _load(self, collected: CollectedMessage, site: str) -> Tensors:
        accepted = collected.accepted[site]
        file = TensorFile(sha256=accepted.sha256, size=accepted.size)
        return self._desk.read(self._desk.download(site, accepted.file, file))


def _status(opened: OpenRound, reached: bool) -> Literal["completed", "evaluated", "failed"]:
    if not reached:
        return "failed"
    return "completed" if opened.message.purpose == "train" else "evaluated"


def _outcome(
    run: Run,
    opened: OpenRound,
    collected: CollectedMessage,
    measured: Measured,
    reached: bool,
    clock: Clock,
) -> OutcomeMessage:
    return OutcomeMessage(
        status=_status(opened, reached),
        model=opened.message.model,
        accepted=tuple(sorted(collected.accepted)),
        refused=collected.refused,
        missing=collected.missing,
        declined=collected.declined,
        measured=measured,
        seconds=clock.seconds,
        seen=opened.seen(run),
        claims={site: accepted.claim for site, accepted in collected.accepted.items()},
    )
