"""A round's outcome against what this site has seen and sent: no coordinator says one thing here and another there.

The outcome repeats what the coordinator published, and the signed answer of every site that it counts. Each answer
says what its site was shown. A coordinator can't change that, because it has no member's key; it can leave a site out,
and then it has to do without that site's answer, here and in every later round, and needs its quorum all the same
(docs/decisions/0014-seen-by-everybody.md).
"""

import hashlib

from wardround.errors import RefusedError
from wardround.exchange.messages import OutcomeMessage, UpdateMessage
from wardround.exchange.records import Record
from wardround.site.answers import Answer
from wardround.site.context import Seat
from wardround.site.described import Described
from wardround.site.evidence import EQUIVOCATION, accuse

UNPROVEN = "unproven-answer"
BELOW_QUORUM = "below-quorum"


def compare_outcome(
    seat: Seat, described: Described, answer: Answer, outcome: Record[OutcomeMessage]
) -> None:
    """Compares the outcome of a round that this site answered with its answer.

    Raises EquivocationError: `equivocation` when the coordinator, or a site that it counts, has another `round.json`,
    `run.json`, list of members, model or broadcast than this one; `unproven-answer` when it counts a site without that
    site's signed answer, or this one with another answer than it sent; `below-quorum` when a round counts with fewer.
    Raises RefusedError (`malformed`) for an outcome that does not say what was seen.
    """
    message, number = outcome.message, answer.round
    if message.seen is None:
        raise RefusedError(
            f"the outcome of round {number} does not say what it is about; its coordinator runs another version of "
            "Wardround: both sides need the same one",
            code="malformed",
        )
    if (message.seen, message.model) != (answer.seen, answer.model):
        accuse(
            seat,
            EQUIVOCATION,
            f"the outcome of round {number} is about another round, run, list of members or model than this site was "
            "shown",
            _exhibits(outcome),
        )
    accepted = sorted(set(message.accepted))
    if message.status != "failed" and len(accepted) < described.message.quorum:
        what = f"round {number} counts with {len(accepted)} sites; run.json has a quorum of {described.message.quorum}"
        accuse(seat, BELOW_QUORUM, what, _exhibits(outcome))
    for site in accepted:
        _compare_claim(seat, described, answer, outcome, site)


def _compare_claim(
    seat: Seat, described: Described, answer: Answer, outcome: Record[OutcomeMessage], site: str
) -> None:
    said = _claim(seat, described, answer, outcome, site)
    if (said.seen, said.broadcast) != (answer.seen, answer.broadcast):
        what = f"{site} was shown another round, run, list of members or broadcast in round {answer.round}"
        accuse(seat, EQUIVOCATION, what, _exhibits(outcome))


def _claim(
    seat: Seat, described: Described, answer: Answer, outcome: Record[OutcomeMessage], site: str
) -> UpdateMessage:
    data = outcome.message.claims.get(site, "").encode()
    unsigned = f"the outcome of round {answer.round} counts an answer of {site} that {site} has not signed"
    peer = described.member(site)
    if peer is None:
        accuse(seat, UNPROVEN, unsigned, _exhibits(outcome))
    if site == seat.site and hashlib.sha256(data).hexdigest() != answer.update:
        accuse(seat, UNPROVEN, f"{unsigned}: this site's own is another", _exhibits(outcome))
    try:
        return seat.channel.open(data, UpdateMessage, peer, answer.round).message
    except RefusedError as error:
        accuse(seat, UNPROVEN, f"{unsigned} [{error.code}]", _exhibits(outcome))


def _exhibits(outcome: Record[OutcomeMessage]) -> dict[str, bytes]:
    return {"outcome.json": outcome.data}
