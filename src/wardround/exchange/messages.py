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

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationInfo

from wardround.exchange.layout import LAST_ROUND

MOST_SITES = 4096

Count = Annotated[int, Field(ge=0, le=2**53)]
RoundNumber = Annotated[int, Field(ge=1, le=LAST_ROUND)]
Epoch = Annotated[int, Field(ge=1, le=10**9)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")]
Site = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?\z", max_length=63)]
Sites = Annotated[tuple[Site, ...], Field(max_length=MOST_SITES)]
PublicKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")]
Code = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}\z")]
Split = Literal["validation", "test"]
# No hospital has a billion images; more than that, and a site's word for its weight would be nobody's business.
Examples = Annotated[int, Field(ge=0, le=2**30)]
# Of tensors and figures, as the plan calls them: letters, marks, numbers, punctuation, symbols, spaces.
Name = Annotated[str, Field(pattern=r"^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+\z", max_length=512)]
File = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\z")]
Time = Annotated[str, Field(pattern=r"^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}\+00:00\z")]
Measure = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}\z")]

_LONGEST_DETAIL = 2000
_DEEPEST_FIGURE = 4


def _plain(text: Any, info: ValidationInfo) -> Any:
    """What we write is made plain, because it quotes others; what we read must be."""
    if info.mode == "json" or not isinstance(text, str):
        return text
    return "".join(c if " " <= c <= "~" else f"\\u{{{ord(c):x}}}" for c in text)[:_LONGEST_DETAIL]


# Printable ASCII: shown as it is, wherever it is shown.
Detail = Annotated[str, BeforeValidator(_plain), Field(pattern=r"^[ -~]*\z", max_length=_LONGEST_DETAIL)]


def _figure(value: JsonValue, depth: int = 0) -> JsonValue:
    if isinstance(value, list) and depth < _DEEPEST_FIGURE:
        for item in value:
            _figure(item, depth + 1)
    elif isinstance(value, str) and len(value) <= 200 and value.isprintable():
        return value
    elif not (value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**64)):
        raise ValueError(
            "a figure is a number of at most 64 bits, a short text, None, or a nested list of them"
        )
    return value


# A signed `update.json` as it stands, in another message: what a site said, in words that nobody else can change.
Claim = Annotated[str, Field(min_length=1, max_length=4096)]

# Figures by name. Numbers, lists of numbers (histograms), or None where a figure is not defined.
Figures = Annotated[dict[Name, Annotated[JsonValue, AfterValidator(_figure)]], Field(max_length=1000)]


class Message(BaseModel):
    """A payload: immutable, and refused when it has a field that is not listed.

    `limit`: the most bytes that its envelope may have. Nobody reads more, whoever wrote it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: ClassVar[str]
    limit: ClassVar[int] = 16 << 10


class FederationMessage(Message):
    """Who belongs to the federation, each with the text of its Ed25519 public key."""

    kind: ClassVar[str] = "federation"
    limit: ClassVar[int] = 1 << 20
    name: Site
    epoch: Epoch = 1
    coordinator: PublicKey
    members: Annotated[dict[Site, PublicKey], Field(min_length=1, max_length=MOST_SITES)]


class RunMessage(Message):
    """One training of one plan. `rounds` counts completed training rounds; a failed one is not counted."""

    kind: ClassVar[str] = "run"
    plan_digest: Sha256
    epoch: Epoch
    rounds: RoundNumber
    quorum: Annotated[int, Field(ge=1, le=MOST_SITES)]
    deadline_s: Seconds
    join_deadline_s: Seconds
    evaluate_every: Count
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)]
    started: Time


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
    limit: ClassVar[int] = 4 << 20
    purpose: Literal["train", "evaluate"]
    model: Count
    splits: Annotated[tuple[Split, ...], Field(max_length=2)] = ()
    cohort: Sites
    aliases: Annotated[dict[Name, Name], Field(max_length=10_000)] = {}
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
    detail: Detail


class AcceptedFile(Message):
    """An update that counts: its file in the site's round folder, and `claim`, the `update.json` that commits it."""

    kind: ClassVar[str] = "accepted"
    file: File
    sha256: Sha256
    size: Count
    claim: Claim


Refusals = Annotated[tuple[Refusal, ...], Field(max_length=MOST_SITES)]
Declined = Annotated[dict[Site, Code], Field(max_length=MOST_SITES)]


class CollectedMessage(Message):
    """Which updates of a round count: decided before the arithmetic. `declined`: site → its code.

    `decision`: 1, and one more each time that an accepted update turned out not to be readable or countable. Each
    later decision is the one before it with at least one site moved from `accepted` to `refused`, and nothing else.
    """

    kind: ClassVar[str] = "collected"
    limit: ClassVar[int] = 8 << 20
    decision: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    accepted: Annotated[dict[Site, AcceptedFile], Field(max_length=MOST_SITES)]
    refused: Refusals
    missing: Sites
    declined: Declined = {}


class Measured(Message):
    """What the arithmetic of a round says beside the state.

    `measurements`: of the training. `evaluation`: split → figures of the model that was broadcast.
    `per_site`: site → split → figures of that site alone, where the plan lets them be seen.
    """

    kind: ClassVar[str] = "measured"
    measurements: Figures = {}
    evaluation: dict[Split, Figures] = {}
    per_site: Annotated[dict[Site, dict[Split, Figures]], Field(max_length=MOST_SITES)] = {}


class StateMessage(Message):
    """The server state after a training round, in the tensor file, and what was measured on the way.

    `decision`: of the round's decisions, the one by which updates were added up; no later one counts.
    """

    kind: ClassVar[str] = "state"
    limit: ClassVar[int] = 8 << 20
    decision: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    measured: Measured = Measured()


class OutcomeMessage(Message):
    """The coordinator's account of a round. `model`: the broadcast model, which `evaluation` is about.

    `missing`: had joined, and did not answer; `declined`: members who said that they do not take part → why.
    `seen`: what the coordinator has published; `claims`: accepted site → the `update.json` that it signed, so that
    every site can see what every other one was shown.
    """

    kind: ClassVar[str] = "outcome"
    limit: ClassVar[int] = 8 << 20  # histograms of every site: enough for a thousand
    status: Literal["completed", "evaluated", "failed"]
    model: Count
    accepted: Sites
    refused: Refusals
    missing: Sites
    declined: Declined = {}
    measured: Measured = Measured()
    seconds: Annotated[dict[Code, Seconds], Field(max_length=100)] = {}
    seen: Seen | None = None
    claims: Annotated[dict[Site, Claim], Field(max_length=MOST_SITES)] = {}


class FinalMessage(Message):
    """The end of a run. `last` and `champion` are models; `metric` is the champion's value of `measure`."""

    kind: ClassVar[str] = "final"
    status: Literal["finished", "early-stopped", "abandoned"]
    rounds: Count
    last: Count
    champion: Count
    measure: Measure
    metric: float | None
