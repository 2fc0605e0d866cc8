"""Opening a round: the broadcast, then `round.json`, which makes it visible."""

from dataclasses import dataclass

from wardround.coordinator.context import Event, Run
from wardround.coordinator.history import History, Step, splits_of
from wardround.coordinator.members import Members, cohort
from wardround.exchange.errors import MissingError
from wardround.exchange.messages import RoundMessage
from wardround.exchange.records import publish_tensors
from wardround.plan.process import Tensors
from wardround.plan.program import Program


@dataclass(frozen=True)
class Model:
    """A server state, and the number of the round that made it."""

    number: int
    state: Tensors


@dataclass(frozen=True)
class OpenRound:
    """A round that sites can see; `broadcast` is the SHA-256 of what they answer."""

    number: int
    message: RoundMessage
    broadcast: str


def find_round(run: Run, number: int) -> OpenRound | None:
    """The round, if it was opened before a restart."""
    try:
        record = run.channel.read(run.shared, RoundMessage, run.me, round=number)
    except MissingError:
        return None
    return OpenRound(number, record.message, record.file("broadcast")[1].sha256)


def open_round(
    run: Run, program: Program, step: Step, model: Model, history: History, members: Members
) -> OpenRound:
    """Publishes the next round's broadcast and message. Killed in between, it is called again."""
    number = len(history.outcomes) + 1
    broadcast = program.prepare(model.state)
    prefix = run.channel.keys.round_prefix(number)
    files = publish_tensors(run.shared, prefix, run.spool, "broadcast", broadcast.tensors)
    members.look()
    message = RoundMessage(
        purpose="evaluate" if step == "evaluate" else "train",
        model=model.number,
        splits=splits_of(history, step, run.rules),
        cohort=cohort(members.joined, history.missing),
        aliases=dict(broadcast.aliases),
    )
    run.channel.write(run.shared, message, round=number, tensors=files)
    run.observe(Event("opened", number, text=f"{message.purpose}, waits for {len(message.cohort)} sites"))
    (file,) = files.values()
    return OpenRound(number, message, file.sha256)
