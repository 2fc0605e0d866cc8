"""All rounds of a run, from wherever it stands to its end."""

import shutil
from typing import Protocol

from wardround.coordinator.close import Clock, play_round
from wardround.coordinator.context import Event, Run
from wardround.coordinator.history import History, Step, best, next_step, read_history
from wardround.coordinator.members import Members
from wardround.coordinator.rounds import Model, OpenRound, find_round, open_round
from wardround.coordinator.states import load_model
from wardround.exchange.errors import MissingError
from wardround.exchange.messages import FinalMessage, OutcomeMessage
from wardround.plan.program import Program

ENDS = ("finished", "early-stopped", "abandoned")


class Register(Protocol):
    """Whoever keeps the models. Told again of everything after a restart; must not hold a round up."""

    def closed(self, history: History) -> None:
        """A round closed: the last of `history`."""

    def ended(self, history: History, final: FinalMessage) -> None:
        """The run ended. Returns when everything is kept; raises when it could not be."""


def run_rounds(run: Run, program: Program, register: Register | None = None) -> FinalMessage:
    """Plays all rounds that are left and returns the run's end, which `final.json` then says.

    Raises QuorumError when too few sites join, StoppedError, and errors of the exchange. Whatever it
    raises, calling it again goes on.
    """
    shutil.rmtree(run.spool, ignore_errors=True)
    run.spool.mkdir(parents=True)
    history = read_history(run)
    final = _find_final(run) or _play(run, program, history, register)
    if register is not None:
        register.ended(read_history(run), final)
    run.observe(Event("ended", final.rounds, text=final.status))
    return final


def _play(run: Run, program: Program, history: History, register: Register | None) -> FinalMessage:
    members = Members(run)
    opened = find_round(run, len(history.outcomes) + 1)
    if history.outcomes or opened:
        members.look()
    else:
        members.wait()
    model = load_model(run, program, history.model)
    _tell(register, history)
    while (step := next_step(history, run.rules)) not in ENDS:
        outcome, model = _round(run, program, step, opened, model, history, members)
        opened, history = None, history.add(outcome)
        _tell(register, history)
    return _finish(run, history, step)


def _round(
    run: Run,
    program: Program,
    step: Step,
    opened: OpenRound | None,
    model: Model,
    history: History,
    members: Members,
) -> tuple[OutcomeMessage, Model]:
    clock = Clock()
    with clock.phase("open"):
        opened = opened or open_round(run, program, step, model, history, members)
    outcome, newest = play_round(run, program, opened, model, members, clock)
    text = f"{outcome.status}, {len(outcome.accepted)} of {len(members.joined)} sites"
    run.observe(Event("closed", opened.number, text=text, figures=outcome))
    return outcome, newest


def _tell(register: Register | None, history: History) -> None:
    if register is not None and history.outcomes:
        register.closed(history)


def _find_final(run: Run) -> FinalMessage | None:
    try:
        return run.channel.read(run.shared, FinalMessage, run.me).message
    except MissingError:
        return None


def _finish(run: Run, history: History, step: Step) -> FinalMessage:
    final = final_of(history, step, run.rules.measure)
    run.channel.write(run.shared, final)
    return final


def final_of(history: History, step: Step, measure: str) -> FinalMessage:
    """The end of a run with this history. Without any evaluation the last model is the champion."""
    if step not in ("finished", "early-stopped", "abandoned"):
        raise ValueError(f"{step!r} is not an end; legal: {', '.join(ENDS)}")
    champion = best(history.values(measure), measure)
    number, value = champion if champion else (history.model, None)
    return FinalMessage(
        status=step,
        rounds=len(history.outcomes),
        last=history.model,
        champion=number,
        measure=measure,
        metric=value,
    )
