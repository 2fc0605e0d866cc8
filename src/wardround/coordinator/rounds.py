"""Opening a round: the broadcast, then `round.json`, which makes it visible."""

from collections.abc import Mapping
from dataclasses import dataclass

from wardround.coordinator.context import Event, Run
from wardround.coordinator.history import History, Step, splits_of
from wardround.coordinator.members import Members, cohort
from wardround.exchange.envelope import TensorFile
from wardround.exchange.errors import MissingError
from wardround.exchange.messages import RoundMessage, Seen
from wardround.exchange.records import publish_tensors
from wardround.plan.process import Tensors
from wardround.plan.program import Program


@dataclass(frozen=True)
class Draft:
    """A round's broadcast that is uploaded already; without a `round.json` nobody looks at it."""

    number: int
    aliases: Mapping[str, str]
    files: dict[str, TensorFile]


@dataclass(frozen=True)
class Model:
    """A server state, the number of the round that made it, and the next round's broadcast if it was begun."""

    number: int
    state: Tensors
    draft: Draft | None = None


@dataclass(frozen=True)
class OpenRound:
    """A round that sites can see; `broadcast` is the SHA-256 of what they answer, `digest` that of `round.json`."""

    number: int
    message: RoundMessage
    broadcast: str
    digest: str

    def seen(self, run: Run) -> Seen:
        """What a site that answers it must have seen."""
        return Seen(round=self.digest, run=run.described, members=run.listed)


def find_round(run: Run, number: int) -> OpenRound | None:
    """The round, if it was opened before a restart."""
    try:
        record = run.channel.read(run.shared, RoundMessage, run.me, round=number)
    except MissingError:
        return None
    return OpenRound(number, record.message, record.file("broadcast")[1].sha256, record.digest)


def draft_round(run: Run, program: Program, number: int, state: Tensors) -> Draft:
    """Uploads the broadcast of a round that may follow. Done again, it finds the same file there."""
    broadcast = program.prepare(state)
    prefix = run.channel.keys.round_prefix(number)
    files = publish_tensors(run.shared, prefix, run.spool, "broadcast", broadcast.tensors)
    return Draft(number, dict(broadcast.aliases), files)


def open_round(
    run: Run, program: Program, step: Step, model: Model, history: History, members: Members
) -> OpenRound:
    """Publishes the next round's broadcast and message. Killed in between, it is called again."""
    number, draft = len(history.outcomes) + 1, model.draft
    if draft is None or draft.number != number:
        draft = draft_round(run, program, number, model.state)
    members.look()
    message = RoundMessage(
        purpose="evaluate" if step == "evaluate" else "train",
        model=model.number,
        splits=splits_of(history, step, run.rules),
        cohort=cohort(members.joined, history.missing),
        aliases=dict(draft.aliases),
        previous=history.newest,
    )
    digest = run.channel.write(run.shared, message, round=number, tensors=draft.files)
    run.observe(Event("opened", number, text=f"{message.purpose}, waits for {len(message.cohort)} sites"))
    (file,) = draft.files.values()
    return OpenRound(number, message, file.sha256, digest)
