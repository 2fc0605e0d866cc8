"""What a coordinator tells the registry."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

Weights = Mapping[str, NDArray[Any]]
Parameters = Mapping[str, str | int | float | bool]


@dataclass(frozen=True)
class RunRecord:
    """One training of one plan by one federation: a run in MLflow.

    `parameters` is the flat recipe; `plan_file` the plan's plan.json, kept as an artifact.
    """

    federation: str
    run: str
    plan_digest: str
    parameters: Parameters
    plan_file: Path

    def identity(self) -> dict[str, str]:
        """The tags that a run and its models are found by."""
        return {"federation": self.federation, "run": self.run}

    def tags(self) -> dict[str, str]:
        """What every entry of this run is marked with."""
        return {**self.identity(), "plan_digest": self.plan_digest}


@dataclass(frozen=True)
class RoundRecord:
    """One closed round: a model version in MLflow.

    Args:
        round: from 1.
        metrics: points on curves over rounds: `train_loss`, `val_auroc`, `site/<site>/val_auroc`, …
        outcome: the signed outcome, as it lies in the exchange.
        weights: the global model's weights by name, in the plan's shapes; None for a failed round, which
            leaves metrics and its outcome but no model version.
    """

    round: int
    metrics: Mapping[str, float]
    outcome: bytes
    weights: Weights | None


@dataclass(frozen=True)
class Merit:
    """What speaks for a model: the value of a measure on validation, such as val_auc, and whether more is better."""

    measure: str
    value: float
    more_is_better: bool = True

    def is_less_than(self, other: float) -> bool:
        """Whether another model with this value of the measure is better."""
        return self.value < other if self.more_is_better else self.value > other
