"""A site's whole part in a run, from joining to the end."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from wardround.errors import WardroundError
from wardround.exchange.errors import ConflictError, MissingError
from wardround.exchange.messages import FinalMessage, JoinMessage, OutcomeMessage, PresentMessage
from wardround.exchange.waiting import stop_if_asked
from wardround.plan.format import Plan
from wardround.plan.program import Program
from wardround.site.check import Invitation, read_broadcast, read_invitation
from wardround.site.choose import is_closed, newest_round, wait_for_round
from wardround.site.context import Seat
from wardround.site.plans import approved_plan, find_run
from wardround.site.publish import Finished, find_finished, forget, is_published, keep, publish
from wardround.site.train import Data, make_update
from wardround.text import foreign

_LOG = logging.getLogger(__name__)


class AbandonedError(WardroundError):
    """The coordinator gave the run up."""

    code = "abandoned"


@dataclass
class Summary:
    """What a site did in a run: the rounds that it answered, those refused with their codes, and the end."""

    final: FinalMessage | None = None
    answered: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


def take_part(seat: Seat, data: Data, make_program: Callable[[Plan], Program]) -> Summary:
    """Joins the run and answers rounds until it ends.

    Raises UnwantedPlanError for a plan that may not run here, AbandonedError when the run was given up,
    PatienceError, StoppedError, RefusedError for what is not the coordinator's, and errors of the exchange.
    Whatever it raises, calling it again goes on.
    """
    description = find_run(seat)
    seat = seat.bound_to(description.plan_digest)
    program = make_program(approved_plan(seat))
    _join(seat, data)
    summary = Summary()
    after = max(newest_round(seat) - 1, 0)
    first = after + 1
    while (number := wait_for_round(seat, after)) is not None:
        if number == first and is_published(seat, number):  # by a process before this one
            _LOG.info("round %d: answered before", number)
        elif _play(seat, program, data, number):
            _look_back(seat, summary)  # at the answer before: now that nobody waits for us
            summary.answered.append(number)
        after = number
    _look_back(seat, summary)
    forget(seat)
    return _end(seat, summary)


def _join(seat: Seat, data: Data) -> None:
    message = JoinMessage(
        approved=str(seat.channel.digest), public_key=seat.channel.key.public.text, examples=data.counts()
    )
    try:
        seat.channel.write(seat.own, message)
    except ConflictError:  # the dataset has changed since, by a person's decision
        _LOG.info("joined before, with another number of examples")
    _LOG.info("joined run %s with %d training examples", seat.channel.run, data.counts().get("train", 0))


def _play(seat: Seat, program: Program, data: Data, number: int) -> bool:
    """Answers a round; False when it closed meanwhile."""
    invitation = read_invitation(seat, number)
    if seat.site not in invitation.message.cohort:
        seat.channel.write(seat.own, PresentMessage(site=seat.site), round=number)
    finished = find_finished(seat, invitation)
    if finished is not None:
        _LOG.info("round %d: sending the update that was finished before", number)
    else:
        finished = _work(seat, program, data, invitation)
    if is_closed(seat, number):
        _LOG.info("round %d closed before it was answered", number)
        return False
    stop_if_asked(seat.stop)
    publish(seat, number, finished)
    _LOG.info("round %d: answered", number)
    return True


def _work(seat: Seat, program: Program, data: Data, invitation: Invitation) -> Finished:
    broadcast = read_broadcast(seat, program, invitation)
    stop_if_asked(seat.stop)
    update = make_update(seat, program, data, invitation.number, invitation.message, broadcast)
    return keep(seat, invitation, update)


def _look_back(seat: Seat, summary: Summary) -> None:
    """Tells what became of the last answer, once."""
    if not summary.answered or summary.answered[-1] in summary.refused:
        return
    number = summary.answered[-1]
    try:
        outcome = seat.channel.read(seat.shared, OutcomeMessage, seat.coordinator, round=number).message
    except MissingError:
        return
    for refusal in outcome.refused:
        if refusal.site == seat.site:
            summary.refused[number] = refusal.code
            _LOG.warning(
                "round %d: the update was refused (%s): %s",
                number,
                refusal.code,
                foreign(refusal.detail, 500),
            )


def _end(seat: Seat, summary: Summary) -> Summary:
    final = seat.channel.read(seat.shared, FinalMessage, seat.coordinator).message
    if final.status == "abandoned":
        raise AbandonedError(
            f"the coordinator abandoned run {seat.channel.run!r} after {final.rounds} rounds: too few sites answered, "
            "or its people gave it up. Ask them for the reason; a new run can be joined"
        )
    _LOG.info("run %s: %s after %d rounds", seat.channel.run, final.status, final.rounds)
    summary.final = final
    return summary
