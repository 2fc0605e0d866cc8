"""Which round to work on: the newest that is open. A site that comes late, or back, skips the others."""

import itertools

from wardround.errors import WardroundError
from wardround.exchange.messages import FinalMessage, OutcomeMessage, RoundMessage
from wardround.exchange.waiting import wait_until
from wardround.site.context import Seat


class PatienceError(WardroundError):
    """The coordinator did nothing for longer than the site is set to wait."""

    code = "no-round"


def newest_round(seat: Seat) -> int:
    """The number of the newest round that was opened; 0 if none was."""
    keys = seat.channel.keys
    opened = [keys.round_of(key) or 0 for key in seat.shared.list(keys.rounds) if key.endswith("/round.json")]
    return max(opened, default=0)


def is_closed(seat: Seat, number: int) -> bool:
    """Whether a round has its outcome, or will never have one."""
    closed = (seat.channel.where(OutcomeMessage, number), seat.channel.where(FinalMessage))
    return any(map(seat.shared.exists, closed))


def wait_for_round(seat: Seat, after: int) -> int | None:
    """The newest open round later than `after`; None when the run has ended.

    Raises PatienceError after `round_wait_s` without a new round, StoppedError.
    """
    while True:
        number, is_fresh = _wait(seat, after + 1)
        if number is None or is_fresh or not is_closed(seat, number):
            return number
        after = newest_round(seat)
        if not is_closed(seat, after):
            return after


def _wait(seat: Seat, number: int) -> tuple[int | None, bool]:
    """The round, or None when the run has ended; and whether it was opened while we waited."""
    channel, seconds = seat.channel, seat.settings.round_wait_s
    wanted, final = channel.where(RoundMessage, number), channel.where(FinalMessage)
    looks = itertools.count()

    def look() -> str | None:
        next(looks)
        # Both, at every look: where the server tells of writes, the next look may be seconds away. The end first: a run
        # that was given up may have an open round, in which nobody is waited for.
        return next(filter(seat.shared.exists, (final, wanted)), None)

    found = wait_until(
        [seat.shared],
        look,
        seconds=seconds,
        stop=seat.stop,
        prefix=channel.keys.prefix,
        rhythm=seat.rhythm,
    )
    if found is None:
        raise PatienceError(
            f"round {number} was not opened within {seconds:g} s; ask the coordinator, and start again when it runs"
        )
    return number if found == wanted else None, next(looks) > 1
