"""A site's whole part in a run, from joining to the end."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from wardround.errors import RefusedError, WardroundError
from wardround.exchange.errors import ConflictError, MissingError
from wardround.exchange.messages import FinalMessage, JoinMessage, OutcomeMessage, PresentMessage
from wardround.exchange.waiting import stop_if_asked
from wardround.plan.format import Plan
from wardround.plan.program import Program
from wardround.site.answers import Answer, Answers
from wardround.site.check import read_broadcast
from wardround.site.choose import is_closed, newest_round, wait_for_round
from wardround.site.compare import compare_outcome
from wardround.site.context import Seat
from wardround.site.covered import check_round
from wardround.site.described import Described
from wardround.site.evidence import refuse_if_accused
from wardround.site.hear import hear
from wardround.site.invitation import Invitation, read_invitation
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
    EquivocationError when the coordinator has said two things where there is one, PatienceError, StoppedError,
    RefusedError for what is not the coordinator's, is more than was approved, or learns from
    other data than the site has, and errors of the exchange.
    Whatever it raises, calling it again goes on; after EquivocationError only when a person has moved the evidence.
    """
    refuse_if_accused(seat)
    described = find_run(seat)
    seat = seat.bound_to(described.plan_digest)
    program = make_program(approved_plan(seat, described.message))
    data.check(program)
    part = _Part(seat, described, program, data)
    _join(seat, data)
    _LOG.info(
        "%d members are listed, epoch %d: SHA-256 %s, which the other hospitals must have too",
        len(described.members.message.members),
        described.message.epoch,
        described.members.digest,
    )
    part.answers.tell()
    after = max(newest_round(seat) - 1, 0)
    first = after + 1
    while (number := wait_for_round(seat, after)) is not None:
        if number == first and is_published(seat, number):  # by a process before this one
            _LOG.info("round %d: answered before", number)
        elif part.play(number):
            part.look_back(before=number)  # now that nobody waits for us
            part.summary.answered.append(number)
        after = number
    part.look_back()
    forget(seat)
    return _end(seat, part)


def _join(seat: Seat, data: Data) -> None:
    message = JoinMessage(
        approved=str(seat.channel.digest), public_key=seat.channel.key.public.text, examples=data.counts()
    )
    try:
        seat.channel.write(seat.own, message)
    except ConflictError:  # the dataset has changed since, by a person's decision
        _LOG.info("joined before, with another number of examples")
    _LOG.info("joined run %s with %d training examples", seat.channel.run, data.counts().get("train", 0))


class _Part:
    """A site's part in one run: its rounds, and what becomes of its answers."""

    def __init__(self, seat: Seat, described: Described, program: Program, data: Data) -> None:
        self._seat, self._described = seat, described
        self._program, self._data = program, data
        self.answers, self.summary = Answers(seat), Summary()

    def play(self, number: int) -> bool:
        """Answers a round; False when it closed meanwhile, or was answered with other bytes before."""
        seat, program = self._seat, self._program
        invitation = read_invitation(seat, number)
        evaluates = program.plan.manifest.predict is not None
        run = self._described.message
        check_round(seat, program.recipe, run, invitation, self.answers, evaluates=evaluates)
        if seat.site not in invitation.message.cohort:
            seat.channel.write(seat.own, PresentMessage(site=seat.site), round=number)
        finished = self._finish(invitation)
        if is_closed(seat, number):
            _LOG.info("round %d closed before it was answered", number)
            return False
        stop_if_asked(seat.stop)
        return self._send(invitation, finished)

    def _finish(self, invitation: Invitation) -> Finished:
        seen = self._described.seen(invitation.digest)
        finished = find_finished(self._seat, invitation, seen)
        if finished is not None:
            _LOG.info("round %d: sending the update that was finished before", invitation.number)
            return finished
        broadcast = read_broadcast(self._seat, self._program, invitation)
        stop_if_asked(self._seat.stop)
        update = make_update(
            self._seat, self._program, self._data, invitation.number, invitation.message, broadcast
        )
        return keep(self._seat, invitation, seen, update)

    def _send(self, invitation: Invitation, finished: Finished) -> bool:
        number, message = invitation.number, invitation.message
        answer = Answer(
            round=number,
            purpose=message.purpose,
            model=message.model,
            splits=message.splits,
            broadcast=invitation.file.sha256,
            update=finished.digest,
            seen=self._described.seen(invitation.digest),
        )
        before = self.answers.get(number)
        if before is not None and before != answer:
            _LOG.warning("round %d was answered with other bytes before: these are not sent", number)
            return False
        self.answers.add(answer)
        publish(self._seat, number, finished)
        _LOG.info("round %d: answered", number)
        return True

    def look_back(self, before: int | None = None) -> None:
        """Compares the outcomes of the rounds that were answered (before one) with what was seen; each once."""
        for answer in self.answers.open(before):
            try:
                outcome = hear(self._seat, OutcomeMessage, answer.round)
            except MissingError:
                continue
            self._tell(answer.round, outcome.message)
            compare_outcome(self._seat, self._described, answer, outcome)
            self.answers.close(answer.round)

    def _tell(self, number: int, outcome: OutcomeMessage) -> None:
        refusal = next((each for each in outcome.refused if each.site == self._seat.site), None)
        if refusal is not None:
            self.summary.refused[number] = refusal.code
            detail = foreign(refusal.detail, 500)
            _LOG.warning("round %d: the update was refused (%s): %s", number, refusal.code, detail)


def _end(seat: Seat, part: _Part) -> Summary:
    final = hear(seat, FinalMessage).message
    _check_outcomes(seat, part, given_up=final.status == "abandoned")
    if final.status == "abandoned":
        raise AbandonedError(
            f"the coordinator abandoned run {seat.channel.run!r} after {final.rounds} rounds: too few updates "
            "could be counted, or its people gave it up. Ask them for the reason; a new run can be joined"
        )
    _LOG.info("run %s: %s after %d rounds", seat.channel.run, final.status, final.rounds)
    part.summary.final = final
    return part.summary


def _check_outcomes(seat: Seat, part: _Part, *, given_up: bool) -> None:
    """Every answer has an outcome, whatever number of rounds the end gives: without one nothing can be compared.

    But for the round that was open when the run was given up.
    """
    last = part.answers.last() if given_up else None
    hidden = [answer.round for answer in part.answers.open() if answer != last]
    if hidden:
        raise RefusedError(
            f"run {seat.channel.run!r} has ended, and has no outcome of round {hidden[0]}, which this site answered; "
            "ask the coordinator where it is",
            code="missing-outcome",
        )
