"""What has happened in a run so far, and what therefore comes next. Pure, but for the reading."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from wardround.coordinator.context import Rules
from wardround.exchange.messages import OutcomeMessage
from wardround.exchange.records import Channel, Record
from wardround.exchange.store import Store

Step = Literal["train", "evaluate", "finished", "early-stopped", "abandoned"]

# In an evaluation's figures: measure → its name there, and whether more is better.
_MEASURES = {"val_auc": ("auroc", True), "val_loss": ("loss", False), "val_accuracy": ("accuracy", True)}


@dataclass(frozen=True)
class History:
    """The outcomes of a run; round n is at place n - 1. `newest`: the SHA-256 of the last outcome's bytes."""

    outcomes: tuple[OutcomeMessage, ...] = ()
    newest: str | None = None

    def add(self, outcome: OutcomeMessage, digest: str) -> "History":
        """The history after one more round, whose outcome's bytes have this SHA-256."""
        return History((*self.outcomes, outcome), digest)

    @property
    def completed(self) -> list[int]:
        """Numbers of the rounds that made a model."""
        return [n for n, outcome in enumerate(self.outcomes, 1) if outcome.status == "completed"]

    @property
    def model(self) -> int:
        """The newest model: the last round that made one, or 0."""
        return max(self.completed, default=0)

    @property
    def missing(self) -> tuple[str, ...]:
        """Who had joined and did not answer in the last round."""
        return self.outcomes[-1].missing if self.outcomes else ()

    @property
    def failed_in_a_row(self) -> int:
        """How many rounds at the end failed."""
        good = [n for n, outcome in enumerate(self.outcomes, 1) if outcome.status != "failed"]
        return len(self.outcomes) - max(good, default=0)

    def values(self, measure: str) -> list[tuple[int, float]]:
        """(model, value of the measure on validation) of each evaluated model, in order of evaluation."""
        found = ((outcome.model, measured(outcome, measure)) for outcome in self.outcomes)
        return [(model, value) for model, value in found if value is not None]


def measured(outcome: OutcomeMessage, measure: str) -> float | None:
    """The value of a measure (val_auc, val_loss, val_accuracy) in an outcome; None where it has none."""
    value = outcome.measured.evaluation.get("validation", {}).get(_MEASURES[measure][0])
    return float(value) if isinstance(value, int | float) else None


def more_is_better(measure: str) -> bool:
    """Whether a measure grows as models get better."""
    return _MEASURES[measure][1]


def best(values: list[tuple[int, float]], measure: str) -> tuple[int, float] | None:
    """The model with the best value; of equals the earlier."""
    sign = 1.0 if more_is_better(measure) else -1.0
    return max(values, key=lambda item: (sign * item[1], -item[0]), default=None)


def has_plateaued(history: History, rules: Rules) -> bool:
    """Whether the last `patience` evaluated models were none better than the best before them."""
    values = history.values(rules.measure)
    champion = best(values, rules.measure)
    if rules.patience is None or champion is None:
        return False
    since = [model for model, _ in values if model > champion[0]]
    return len(since) >= rules.patience


def next_step(history: History, rules: Rules) -> Step:
    """What comes next: a training round, the closing evaluation, or one of the three ends."""
    if history.failed_in_a_row >= rules.max_failed:
        return "abandoned"
    enough = len(history.completed) >= rules.rounds
    if history.outcomes and history.outcomes[-1].status == "evaluated":
        return "finished" if enough else "early-stopped"
    if not (enough or has_plateaued(history, rules)):
        return "train"
    return "evaluate" if rules.evaluates else "finished"


def splits_of(history: History, step: Step, rules: Rules) -> tuple[Literal["validation", "test"], ...]:
    """On which splits the next round evaluates the newest model."""
    if step == "evaluate":
        return ("validation", "test")
    due = (
        rules.evaluates
        and rules.evaluate_every
        and history.model
        and history.model % rules.evaluate_every == 0
    )
    seen = {model for model, _ in history.values("val_loss")}
    return ("validation",) if due and history.model not in seen else ()


def read_history(mine: Channel, shared: Store) -> History:
    """The history of my run in the federation's bucket. Raises RefusedError when somebody else wrote there."""
    history = History()
    for record in _outcomes(mine, shared):
        history = history.add(record.message, record.digest)
    return history


def _outcomes(mine: Channel, shared: Store) -> Iterator[Record[OutcomeMessage]]:
    there, number = set(shared.list(mine.keys.rounds)), 1
    while mine.where(OutcomeMessage, number) in there:
        yield mine.read(shared, OutcomeMessage, mine.author, round=number)
        number += 1
