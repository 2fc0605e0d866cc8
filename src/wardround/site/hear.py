"""Reading what the coordinator says, and comparing it with what it said before in the same place.

The exchange is written once; a coordinator owns its bucket and can overwrite it all the same. It then can't do so
unseen: whatever this site reads is remembered, over restarts, and a second thing under one key ends the run here.
"""

from typing import TypeVar

from wardround.errors import RefusedError
from wardround.exchange.membership import fetch_members, members_key
from wardround.exchange.messages import FederationMessage, Message, OutcomeMessage, RoundMessage
from wardround.exchange.records import Record
from wardround.site.context import Seat
from wardround.site.evidence import EQUIVOCATION, accuse
from wardround.site.memory import Memory

M = TypeVar("M", bound=Message)


def hear(seat: Seat, model: type[M], round: int | None = None) -> Record[M]:
    """The coordinator's message of this kind.

    Raises MissingError; RefusedError for what is not the coordinator's; EquivocationError (`equivocation`) when it is
    not what this site has seen in its place, or what the coordinator has said of it.
    """
    record = seat.channel.read(seat.shared, model, seat.coordinator, round=round)
    _compare(seat, seat.memory, _short(seat, model, round), record)
    return record


def hear_members(seat: Seat, epoch: int) -> Record[FederationMessage]:
    """An epoch's list of members, compared with what was seen of it in this run and in all others. Raises as `hear`."""
    record = fetch_members(seat.channel, seat.shared, epoch, seat.coordinator)
    for memory in (seat.memory, Memory(seat.federation_work)):
        _compare(seat, memory, members_key(epoch), record)
    return record


def hear_round(seat: Seat, number: int) -> Record[RoundMessage]:
    """A round's description; the outcome that it names as the one before must be that which this site knows.

    Raises as `hear`, and RefusedError (`malformed`) for a round that does not follow on an outcome.
    """
    record = hear(seat, RoundMessage, number)
    previous = record.message.previous
    if (previous is None) != (number == 1):
        raise RefusedError(
            f"round {number} names {'no' if previous is None else 'an'} outcome before it; its coordinator runs "
            "another version of Wardround: both sides need the same one",
            code="malformed",
        )
    if previous is not None:
        _follow(seat, number, previous)
    return record


def _follow(seat: Seat, number: int, previous: str) -> None:
    key = _short(seat, OutcomeMessage, number - 1)
    known = seat.memory.recall(key)
    if known not in (None, previous):
        accuse(
            seat,
            EQUIVOCATION,
            f"round {number} follows on an outcome of round {number - 1} with SHA-256 {previous}; this site has seen "
            f"one with {known}",
            {},
        )
    seat.memory.note(key, previous)


def _compare(seat: Seat, memory: Memory, key: str, record: Record[M]) -> None:
    known = memory.recall(key)
    if known in (None, record.digest):
        memory.note(key, record.digest)
        memory.keep(key, record.data)
        return
    first = {f"first-{key.replace('/', '_')}": data for kept, data in memory.kept().items() if kept == key}
    accuse(
        seat,
        EQUIVOCATION,
        f"the coordinator has signed two different {key}: this site knows of SHA-256 {known} and now reads "
        f"{record.digest}",
        first | {f"second-{key.replace('/', '_')}": record.data},
    )


def _short(seat: Seat, model: type[Message], round: int | None) -> str:
    return seat.channel.where(model, round).removeprefix(seat.channel.keys.prefix)
