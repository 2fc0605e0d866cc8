"""The report that answers a hospital's first question: was it worth joining?

`report.json` is this file's `Report`; every interval is [low, value, high], null where undefined.
"""

from collections.abc import Iterable, Mapping
from math import isnan
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from wardround.evaluation.intervals import Interval

Bounds = tuple[float | None, float | None, float | None]


def _without_nan(value: Any) -> Any:
    if not isinstance(value, tuple | list):
        return value
    return tuple(None if isinstance(bound, float) and isnan(bound) else bound for bound in value)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SiteScore(_Frozen):
    """One model on one site's held-out patients."""

    auroc: Annotated[Bounds, BeforeValidator(_without_nan)]
    accuracy: Annotated[Bounds, BeforeValidator(_without_nan)]
    n: int


class Report(_Frozen):
    """Every model on every site; `local` is trained-on × tested-on."""

    recipe: str
    task: str
    data: Literal["generated", "real images"]
    federated: dict[str, SiteScore]
    local: dict[str, dict[str, SiteScore]]
    pooled: dict[str, SiteScore]
    rounds: int
    seconds: float
    seeds: dict[str, int]

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites whose held-out patients were scored, in the report's order."""
        return tuple(self.federated)

    def models(self) -> dict[str, dict[str, SiteScore]]:
        """Every model's scores by site, under the name that tables show."""
        return {"federated": self.federated, "pooled": self.pooled} | {
            f"only {site}": scores for site, scores in self.local.items()
        }

    def write(self, path: Path) -> None:
        """As JSON with line breaks."""
        path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def site_score(intervals: Mapping[str, Interval], examples: int) -> SiteScore:
    """From what `intervals.score_intervals` returns."""
    return SiteScore(auroc=intervals["auroc"], accuracy=intervals["accuracy"], n=examples)


def mean_auroc(scores: Mapping[str, SiteScore]) -> float | None:
    """Plain mean over the sites where AUROC is defined: a large site must not hide a small one."""
    return _mean(score.auroc[1] for score in scores.values())


def _mean(values: Iterable[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None
