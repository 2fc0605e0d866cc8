"""From a round's collected updates to its outcome.

What does not depend on each other is written at the same time, in one thread beside this one: the decision while
the sums are finished, and the next round's broadcast while the state goes to its bucket. The marks keep their
order: `collected.json` (and `collected-2.json`, …), `state.json`, `outcome.json`, and then the next `round.json`.
"""

import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from wardround.coordinator.aggregate import SiteFaultError, Tally
from wardround.coordinator.check import Desk
from wardround.coordinator.collect import Collector
from wardround.coordinator.context import Event, Run
from wardround.coordinator.decisions import find_decision, without, write_decision
from wardround.coordinator.members import Members
from wardround.coordinator.rounds import Model, OpenRound, draft_round
from wardround.coordinator.states import find_state, read_state, write_state
from wardround.exchange.envelope import TensorFile
from wardround.exchange.messages import CollectedMessage, Measured, OutcomeMessage, StateMessage
from wardround.plan.process import Tensors
from wardround.plan.program import Program

Status = Literal["completed", "evaluated", "failed"]


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
        closing = _Closing(run, program, opened, model, members, tally, beside)
        outcome, newest = closing.close(clock)
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
        members: Members,
        tally: Tally,
        beside: Executor,
    ) -> None:
        self._run, self._program, self._round = run, program, opened
        self._model, self._members, self._tally, self._beside = model, members, tally, beside
        self._desk = Desk(run, program, opened, model, members)
        found = find_state(run, opened.number)
        self._written: StateMessage | None = found.message if found else None
        self._recorded: Future[None] = beside.submit(lambda: None)

    def close(self, clock: Clock) -> tuple[OutcomeMessage, Model]:
        """The outcome, not yet published, of what is in the buckets, and the newest model."""
        with clock.phase("collect"):
            decision = self._decide()
        with clock.phase("aggregate"):
            decision, measured, newest = self._compute(decision)
            self._recorded.result()
        self._desk.clear()
        status = _status(self._round, self._reaches(decision), newest)
        return _outcome(self._run, self._round, decision, measured, status, clock), newest

    def _decide(self) -> CollectedMessage:
        """Who is counted: as it was decided before a restart, or by what comes now."""
        found = find_decision(
            self._run, self._round.number, self._written.decision if self._written else None
        )
        if found is not None:
            return found
        collected = Collector(self._run, self._round, self._desk, self._tally, self._members).collect()
        self._record(collected)
        return collected

    def _record(self, decision: CollectedMessage) -> None:
        """Begins to write a decision to the bucket; no state may come before it, and no later decision."""
        self._recorded.result()
        self._recorded = self._beside.submit(write_decision, self._run, self._round.number, decision)

    def _reaches(self, decision: CollectedMessage) -> bool:
        return len(decision.accepted) >= self._run.rules.quorum

    def _compute(self, decision: CollectedMessage) -> tuple[CollectedMessage, Measured, Model]:
        """The decision that stood in the end, and what came of it."""
        run, number = self._run, self._round.number
        if self._written is not None:
            return decision, self._written.measured, Model(number, read_state(run, self._program, number))
        while self._reaches(decision):
            try:
                self._tally.advance(sorted(decision.accepted), partial(self._load, decision))
                return decision, *self._make(decision)
            except SiteFaultError as fault:
                decision = without(decision, fault)
                run.observe(Event("refused", number, fault.site, f"{fault.code}: {fault}"))
                self._record(decision)
        return decision, Measured(), self._model

    def _make(self, decision: CollectedMessage) -> tuple[Measured, Model]:
        """The state of the sums, written where there is one, and what was measured."""
        run, number = self._run, self._round.number
        state, measured = self._tally.result(partial(self._load, decision))
        if state is None or _learned_from_nothing(self._program, measured):
            return measured, self._model
        # A wasted upload if training ends here and nothing is evaluated; otherwise the next round opens sooner.
        drafted = self._beside.submit(draft_round, run, self._program, number + 1, state)
        self._recorded.result()
        write_state(run, number, state, measured, decision.decision)
        return measured, Model(number, state, drafted.result())

    def _load(self, decision: CollectedMessage, site: str) -> Tensors:
        accepted = decision.accepted[site]
        file = TensorFile(sha256=accepted.sha256, size=accepted.size)
        return self._desk.legal(self._desk.download(site, accepted.file, file))


def _learned_from_nothing(program: Program, measured: Measured) -> bool:
    """Whether those who answered have no image to train on: the state would be the one before, under another number."""
    return program.update_roles is not None and measured.measurements.get("num_examples") == 0


def _status(opened: OpenRound, reached: bool, newest: Model) -> Status:
    if reached and opened.message.purpose == "evaluate":
        return "evaluated"
    return "completed" if reached and newest.number == opened.number else "failed"


def _outcome(
    run: Run,
    opened: OpenRound,
    collected: CollectedMessage,
    measured: Measured,
    status: Status,
    clock: Clock,
) -> OutcomeMessage:
    return OutcomeMessage(
        status=status,
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
