"""A site's view of a finished run: what the federation said of it, and the model on its own held-out patients.

The first part has left the hospital before (the signed update's measurements, in the coordinator's outcome);
the second stays in the hospital's own folder.
"""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

from wardround.errors import RefusedError
from wardround.evaluation import sums
from wardround.evaluation.intervals import Interval, score_intervals
from wardround.evaluation.scores import score_split
from wardround.evaluation.summary import Question
from wardround.exchange.connect import open_patient
from wardround.exchange.messages import Figures, FinalMessage, OutcomeMessage, Split
from wardround.plan.broadcast import model_weights
from wardround.plan.data import Examples
from wardround.plan.process import Tensors
from wardround.plan.program import Program
from wardround.recipe import Recipe
from wardround.recipe.bounds import MORE_THAN_APPROVED, last_round
from wardround.site.check import read_broadcast
from wardround.site.context import Seat, take_seat
from wardround.site.data import ShardedData
from wardround.site.hear import hear
from wardround.site.invitation import Invitation, read_invitation
from wardround.site.plans import approved_plan, find_run
from wardround.site.settings import SiteSettings

_LOG = logging.getLogger(__name__)
_UNKNOWN = Interval(nan, nan, nan)


@dataclass(frozen=True)
class Local:
    """The champion on one of the site's own splits. Intervals are (low, value, high), None where undefined.

    `undefined`: how many examples have scores that are no probabilities; the intervals are of the others.
    """

    split: str
    examples: int
    undefined: int
    auroc: tuple[float | None, float | None, float | None]
    accuracy: tuple[float | None, float | None, float | None]
    histogram: list[Any]


@dataclass(frozen=True)
class SiteEvaluation:
    """A finished run as one site sees it. `published`: split → this site's figures in the last outcome with any."""

    federation: str
    run: str
    site: str
    plan_digest: str
    final: FinalMessage
    question: Question
    answered: int
    published: Mapping[Split, Figures]
    local: dict[str, Local]


def evaluate(settings: SiteSettings, stop: threading.Event | None = None) -> SiteEvaluation:
    """Scores the champion on the site's validation and test splits, after the run's end.

    Raises MissingError when the run has not ended, UnwantedPlanError, RefusedError, DatasetError.
    """
    stop = stop or threading.Event()
    exchange = open_patient(settings.exchange, settings.outage_s, stop)
    seat = take_seat(settings, exchange, stop)
    described = find_run(seat)
    seat = seat.bound_to(described.plan_digest)
    program = Program(approved_plan(seat, described.message), threads=settings.threads)
    final = _final(seat, program.recipe)
    answered, published = _look_at(seat, final.rounds)
    return SiteEvaluation(
        federation=settings.federation,
        run=settings.run,
        site=seat.site,
        plan_digest=program.plan.digest,
        final=final,
        question=question_of(program.recipe),
        answered=answered,
        published=published,
        local=_score(seat, program, final),
    )


def question_of(recipe: Recipe) -> Question:
    """What the recipe asks of scores."""
    threshold = recipe.evaluation.threshold
    return Question(recipe.task.labels, recipe.positive, None if threshold == "youden" else float(threshold))


def champion_weights(seat: Seat, program: Program, final: FinalMessage) -> Tensors | None:
    """The champion's weights, out of the broadcast of a round that evaluated it; None if there was none."""
    if (invitation := _invitation_of(seat, final)) is None:
        return None
    return model_weights(read_broadcast(seat, program, invitation))


def _invitation_of(seat: Seat, final: FinalMessage) -> Invitation | None:
    invitations = (read_invitation(seat, number) for number in range(1, final.rounds + 1))
    return next((found for found in invitations if found.message.model == final.champion), None)


def _final(seat: Seat, recipe: Recipe) -> FinalMessage:
    final = hear(seat, FinalMessage).message
    if final.rounds > last_round(recipe):
        raise RefusedError(
            f"the run is said to have had {final.rounds} rounds; its recipe lets it have {last_round(recipe)}",
            code=MORE_THAN_APPROVED,
        )
    return final


def _look_at(seat: Seat, rounds: int) -> tuple[int, Mapping[Split, Figures]]:
    """In how many rounds this site was counted, and its figures in the last one that has any.

    One outcome is in memory at a time: they are as long as the coordinator likes.
    """
    answered: int = 0
    published: Mapping[Split, Figures] = {}
    for number in range(1, rounds + 1):
        outcome = hear(seat, OutcomeMessage, number).message
        answered += seat.site in outcome.accepted
        published = outcome.measured.per_site.get(seat.site, published)
    return answered, published


def _score(seat: Seat, program: Program, final: FinalMessage) -> dict[str, Local]:
    if program.plan.manifest.predict is None:
        _LOG.info("the plan has no inference graph: nothing is scored here")
        return {}
    weights = champion_weights(seat, program, final)
    if weights is None:
        _LOG.warning("model %d was never broadcast: nothing is scored here", final.champion)
        return {}
    data = ShardedData(seat.settings.data)
    splits = [split for split in ("validation", "test") if data.counts().get(split)]
    return {split: _local(program, weights, data.examples(split), split) for split in splits}


def _local(program: Program, weights: Tensors, examples: Examples, split: str) -> Local:
    scores = score_split(program, weights, examples)
    found, usable = sums.sums_of(scores, examples.labels), sums.defined(scores)
    intervals: dict[str, Interval] = {}
    if usable.any():
        positive = program.recipe.positive
        intervals = score_intervals(scores[usable], examples.labels[usable], positive=positive)
    return Local(
        split=split,
        examples=len(examples),
        undefined=int(found["undefined"]),
        auroc=_bounds(intervals.get("auroc", _UNKNOWN)),
        accuracy=_bounds(intervals.get("accuracy", _UNKNOWN)),
        histogram=found["histogram"].tolist(),
    )


def _bounds(interval: tuple[float, float, float]) -> tuple[float | None, float | None, float | None]:
    low, value, high = (float(bound) if isfinite(bound) else None for bound in interval)
    return low, value, high
