"""All rounds of a run, from wherever it stands to its end."""

import shutil
from typing import Protocol

from wardround.coordinator.close import Clock, play_round
from wardround.coordinator.context import Event, Run
from wardround.coordinator.ends import ENDS, end_run, final_of, find_final
from wardround.coordinator.history import History, Step, next_step, read_history
from wardround.coordinator.members import Members
from wardround.coordinator.reasons import why_failed
from wardround.coordinator.rounds import Model, OpenRound, find_round, open_round
from wardround.coordinator.states import load_model
from wardround.exchange.messages import FinalMessage, OutcomeMessage
from wardround.plan.program import Program


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
    history = read_history(run.channel, run.shared)
    final = find_final(run.channel, run.shared) or _play(run, program, history, register)
    if register is not None:
        register.ended(read_history(run.channel, run.shared), final)
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
        if (abandoned := find_final(run.channel, run.shared)) is not None:
            return abandoned
        outcome, digest, model = _round(run, program, step, opened, model, history, members)
        opened, history = None, history.add(outcome, digest)
        _tell(register, history)
    return end_run(run.channel, run.shared, final_of(history, step, run.rules.measure))


def _round(
    run: Run,
    program: Program,
    step: Step,
    opened: OpenRound | None,
    model: Model,
    history: History,
    members: Members,
) -> tuple[OutcomeMessage, str, Model]:
    clock = Clock()
    with clock.phase("open"):
        opened = opened or open_round(run, program, step, model, history, members)
    outcome, digest, newest = play_round(run, program, opened, model, members, clock)
    why = why_failed(outcome, run.rules.quorum)
    text = f"{outcome.status}, {len(outcome.accepted)} of {len(members.joined)} sites{why and f': {why}'}"
    run.observe(Event("closed", opened.number, text=text, figures=outcome))
    return outcome, digest, newest


def _tell(register: Register | None, history: History) -> None:
    if register is not None and history.outcomes:
        register.closed(history)
