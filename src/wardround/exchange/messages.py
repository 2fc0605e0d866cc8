"""What the two sides say to each other: the payloads of signed envelopes.

    who          key                                        message
    coordinator  federation.json                            FederationMessage
    coordinator  runs/<run>/run.json                        RunMessage
    coordinator  runs/<run>/rounds/<n>/round.json           RoundMessage    + broadcast-….safetensors
    coordinator  runs/<run>/rounds/<n>/outcome.json         OutcomeMessage
    coordinator  runs/<run>/final.json                      FinalMessage
    site         runs/<run>/join.json                       JoinMessage
    site         runs/<run>/declined.json                   DeclinedMessage
    site         runs/<run>/rounds/<n>/present.json         PresentMessage
    site         runs/<run>/rounds/<n>/update.json          UpdateMessage   + update-….safetensors
    coordinator  (own) runs/<run>/rounds/<n>/collected.json CollectedMessage, and collected-2.json, … if need be
    coordinator  (own) runs/<run>/rounds/<n>/state.json     StateMessage    + state-….safetensors

The envelope binds each to its federation, run, round and plan, and commits the tensor files. `model` is
everywhere the number of the round that made a model; 0 is the model before any training.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Count = Annotated[int, Field(ge=0, le=2**53)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")]
Site = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?\z", max_length=63)]
PublicKey = Annotated[str, Field(min_length=1, max_length=200)]
Code = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}\z")]
Split = Literal["validation", "test"]
# No hospital has a billion images; more than that, and a site's word for its weight would be nobody's business.
Examples = Annotated[int, Field(ge=0, le=2**30)]
Name = Annotated[str, Field(min_length=1, max_length=512)]

# A signed `update.json` as it stands, in another message: what a site said, in words that nobody else can change.
Claim = Annotated[str, Field(min_length=1, max_length=4096)]

# Figures by name. Numbers, lists of numbers (histograms), or None where a figure is not defined.
Figures = dict[str, JsonValue]


class Message(BaseModel):
    """A payload: immutable, and refused when it has a field that is not listed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: ClassVar[str]


class FederationMessage(Message):
    """Who belongs to the federation, each with the text of its Ed25519 public key."""

    kind: ClassVar[str] = "federation"
    name: Site
    epoch: Annotated[int, Field(ge=1)] = 1
    coordinator: PublicKey
    members: Annotated[dict[Site, PublicKey], Field(min_length=1)]


class RunMessage(Message):
    """One training of one plan. `rounds` counts completed training rounds; a failed one is not counted."""

    kind: ClassVar[str] = "run"
    plan_digest: Sha256
    epoch: Annotated[int, Field(ge=1)]
    rounds: Annotated[int, Field(ge=1)]
    quorum: Annotated[int, Field(ge=1)]
    deadline_s: Seconds
    join_deadline_s: Seconds
    evaluate_every: Count
    seed: int
    started: str


class JoinMessage(Message):
    """A site takes part: it has approved the plan, and has so many examples in each split.

    None of its updates may count more than these.
    """

    kind: ClassVar[str] = "join"
    approved: Sha256
    public_key: PublicKey
    examples: dict[Literal["train", "validation", "test"], Examples]


class DeclinedMessage(Message):
    """A site does not take part in the run, and why. `join.json`, if it comes later, goes before it."""

    kind: ClassVar[str] = "declined"
    site: Site
    code: Code


class RoundMessage(Message):
    """An open round: train on the broadcast, or only evaluate it.

    `splits`: on which splits the broadcast model is evaluated. `aliases`: a broadcast tensor that is equal
    to another one, and so not sent, → that other one. `previous`: the SHA-256 of the outcome of the round before, None
    in the first: so who answers a round has said what happened in all rounds before it.
    """

    kind: ClassVar[str] = "round"
    purpose: Literal["train", "evaluate"]
    model: Count
    splits: tuple[Split, ...] = ()
    cohort: tuple[Site, ...]
    aliases: dict[Name, Name] = {}
    previous: Sha256 | None = None

    def parts(self) -> tuple[str, ...]:
        """The parts of an update of this round, as `plan.program` names them."""
        train = ("train",) if self.purpose == "train" else ()
        return (*train, *(f"evaluate.{split}" for split in self.splits))


class PresentMessage(Message):
    """A site outside the cohort has begun to work on the open round, and asks to be waited for."""

    kind: ClassVar[str] = "present"
    site: Site


class Seen(Message):
    """The coordinator's word as one party has it: the SHA-256 of the bytes of `round.json`, `run.json` and the list of
    members."""

    kind: ClassVar[str] = "seen"
    round: Sha256
    run: Sha256
    members: Sha256


class UpdateMessage(Message):
    """A site's answer; the numbers are in the tensor file that the envelope commits.

    `broadcast`: the SHA-256 of the broadcast that it answers. `seen`: what the coordinator has shown to this site.
    """

    kind: ClassVar[str] = "update"
    site: Site
    broadcast: Sha256
    seen: Seen


class Refusal(Message):
    """Why an update was not counted. `detail` names tensor, value and legal range."""

    kind: ClassVar[str] = "refusal"
    site: Site
    code: Code
    detail: Annotated[str, Field(max_length=2000)]


class AcceptedFile(Message):
    """An update that counts: its file in the site's round folder, and `claim`, the `update.json` that commits it."""

    kind: ClassVar[str] = "accepted"
    file: Name
    sha256: Sha256
    size: Count
    claim: Claim


class CollectedMessage(Message):
    """Which updates of a round count: decided before the arithmetic. `declined`: site → its code.

    `decision`: 1, and one more each time that an accepted update turned out not to be readable or countable. Each
    later decision is the one before it with at least one site moved from `accepted` to `refused`, and nothing else.
    """

    kind: ClassVar[str] = "collected"
    decision: Annotated[int, Field(ge=1)] = 1
    accepted: dict[Site, AcceptedFile]
    refused: tuple[Refusal, ...]
    missing: tuple[Site, ...]
    declined: dict[Site, Code] = {}


class Measured(Message):
    """What the arithmetic of a round says beside the state.

    `measurements`: of the training. `evaluation`: split → figures of the model that was broadcast.
    `per_site`: site → split → figures of that site alone, where the plan lets them be seen.
    """

    kind: ClassVar[str] = "measured"
    measurements: Figures = {}
    evaluation: dict[Split, Figures] = {}
    per_site: dict[Site, dict[Split, Figures]] = {}


class StateMessage(Message):
    """The server state after a training round, in the tensor file, and what was measured on the way.

    `decision`: of the round's decisions, the one by which updates were added up; no later one counts.
    """

    kind: ClassVar[str] = "state"
    decision: Annotated[int, Field(ge=1)] = 1
    measured: Measured = Measured()


class OutcomeMessage(Message):
    """The coordinator's account of a round. `model`: the broadcast model, which `evaluation` is about.

    `missing`: had joined, and did not answer; `declined`: members who said that they do not take part → why.
    `seen`: what the coordinator has published; `claims`: accepted site → the `update.json` that it signed, so that
    every site can see what every other one was shown.
    """

    kind: ClassVar[str] = "outcome"
    status: Literal["completed", "evaluated", "failed"]
    model: Count
    accepted: tuple[Site, ...]
    refused: tuple[Refusal, ...]
    missing: tuple[Site, ...]
    declined: dict[Site, Code] = {}
    measured: Measured = Measured()
    seconds: dict[str, Seconds] = {}
    seen: Seen | None = None
    claims: dict[Site, Claim] = {}


class FinalMessage(Message):
    """The end of a run. `last` and `champion` are models; `metric` is the champion's value of `measure`."""

    kind: ClassVar[str] = "final"
    status: Literal["finished", "early-stopped", "abandoned"]
    rounds: Count
    last: Count
    champion: Count
    measure: str
    metric: float | None
