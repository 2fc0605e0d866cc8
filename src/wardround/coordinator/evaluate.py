"""The report of a finished run, from its outcomes alone: curves by round, federated metrics, each site's where known."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wardround.coordinator.commands import make_run
from wardround.coordinator.history import History, read_history
from wardround.coordinator.settings import CoordinatorSettings
from wardround.coordinator.settle import settle
from wardround.evaluation.summary import Question, chosen_threshold, numbers, operating_figures, positive_rows
from wardround.exchange.messages import Figures, FinalMessage, Split

_SPLITS: tuple[Split, ...] = ("validation", "test")


@dataclass(frozen=True)
class Evaluated:
    """Figures of one model on one split: over all sites (`site` None), or of one site."""

    round: int
    model: int
    split: Split
    site: str | None
    figures: Figures


@dataclass(frozen=True)
class RunEvaluation:
    """A finished run. `evaluated` is in order of rounds."""

    federation: str
    run: str
    plan_digest: str
    final: FinalMessage
    question: Question
    history: History
    evaluated: tuple[Evaluated, ...]

    def last(self, split: Split, site: str | None = None) -> Evaluated | None:
        """The newest figures on a split."""
        found = (e for e in reversed(self.evaluated) if e.split == split and e.site == site)
        return next(found, None)

    def curve(self, figure: str) -> list[tuple[int, float]]:
        """(model, value) of a figure on validation, over all sites."""
        found = (
            (e.model, e.figures.get(figure))
            for e in self.evaluated
            if e.site is None and e.split == "validation"
        )
        return [(model, float(value)) for model, value in found if isinstance(value, int | float)]

    @property
    def sites(self) -> list[str]:
        """The sites whose own figures are known."""
        return sorted({e.site for e in self.evaluated if e.site is not None})


def evaluate(settings: CoordinatorSettings, stop: threading.Event | None = None) -> RunEvaluation:
    """Reads a finished run. Raises MissingError when it has not ended, RefusedError."""
    stop = stop or threading.Event()
    settings, plan = settle(settings, stop)
    run = make_run(settings, plan, stop)
    recipe = plan.manifest.recipe_model()
    threshold = recipe.evaluation.threshold
    history = read_history(run.channel, run.shared)
    return RunEvaluation(
        federation=settings.federation,
        run=settings.run,
        plan_digest=plan.digest,
        final=run.channel.read(run.shared, FinalMessage, run.me).message,
        question=Question(
            recipe.task.labels, recipe.positive, None if threshold == "youden" else float(threshold)
        ),
        history=history,
        evaluated=tuple(_evaluated(history)),
    )


def metrics(found: RunEvaluation) -> dict[str, float]:
    """Flat numbers for a user interface: of the run, of the last model over all sites, and by site."""
    flat = {"rounds": float(found.final.rounds), "champion_model": float(found.final.champion)}
    if found.final.metric is not None:
        flat[f"champion_{found.final.measure}"] = found.final.metric
    for split in _SPLITS:
        flat |= _numbers(found.last(split), split)
        for site in found.sites:
            flat |= _numbers(found.last(split, site), f"{site}_{split}")
    return flat | _at_threshold(found)


def threshold_of(found: RunEvaluation) -> float | None:
    """The recipe's threshold, or Youden's on validation."""
    validation = found.last("validation")
    rows = None if validation is None else positive_rows(validation.figures, found.question)
    return chosen_threshold(found.question, rows)


def _at_threshold(found: RunEvaluation) -> dict[str, float]:
    test = found.last("test")
    rows = None if test is None else positive_rows(test.figures, found.question)
    return {} if rows is None else operating_figures(rows, threshold_of(found), "test")


def _numbers(evaluated: Evaluated | None, prefix: str) -> Mapping[str, float]:
    return {} if evaluated is None else numbers(evaluated.figures, prefix)


def _evaluated(history: History) -> Iterator[Evaluated]:
    for number, outcome in enumerate(history.outcomes, 1):
        for site, splits in [(None, outcome.measured.evaluation), *outcome.measured.per_site.items()]:
            for split, figures in splits.items():
                yield Evaluated(number, outcome.model, split, site, figures)
