"""Which updates of a round count, as it is written down before anything is computed from them.

    collected.json ─(an accepted update cannot be read or counted)─→ collected-2.json ─→ … ─→ state.json, which names one

A decision is taken back by the next number only, and only while no state was written: so a coordinator that is killed
anywhere and started again makes the same state from the same updates.
"""

from wardround.coordinator.aggregate import SiteFaultError
from wardround.coordinator.check import refusal
from wardround.coordinator.context import Run
from wardround.errors import RefusedError
from wardround.exchange.errors import MissingError
from wardround.exchange.messages import CollectedMessage
from wardround.exchange.store import put_idempotent


def find_decision(run: Run, number: int, made_from: int | None) -> CollectedMessage | None:
    """The decision of a round that stands: `made_from`, if a state was made, and else the newest; None without any."""
    decision = read_decision(run, number, made_from or 1)
    while decision is not None and made_from is None:
        newer = read_decision(run, number, decision.decision + 1)
        if newer is None:
            break
        decision = newer
    return decision


def read_decision(run: Run, number: int, decision: int) -> CollectedMessage | None:
    """A decision of a round, by its number. Raises RefusedError for one that lies under another's key."""
    try:
        data = run.own.get(run.channel.keys.decision(number, decision), limit=CollectedMessage.limit)
    except MissingError:
        return None
    found = run.channel.open(data, CollectedMessage, run.me, number).message
    if found.decision != decision:
        raise RefusedError(
            f"decision {found.decision} of round {number} lies in the place of decision {decision}",
            code="wrong-decision",
        )
    return found


def write_decision(run: Run, number: int, decision: CollectedMessage) -> None:
    """Publishes a decision; finding the same one there is fine. Raises ConflictError for another."""
    key = run.channel.keys.decision(number, decision.decision)
    put_idempotent(run.own, key, run.channel.seal(decision, number))


def without(decision: CollectedMessage, fault: SiteFaultError) -> CollectedMessage:
    """The next decision: the same, but for the site whose update cannot be counted, which is refused."""
    accepted = {site: file for site, file in decision.accepted.items() if site != fault.site}
    refused = sorted((*decision.refused, refusal(fault.site, fault)), key=lambda entry: entry.site)
    changed = {"decision": decision.decision + 1, "accepted": accepted, "refused": tuple(refused)}
    return decision.model_copy(update=changed)
