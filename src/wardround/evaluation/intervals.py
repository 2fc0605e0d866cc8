"""Bootstrap percentile intervals (Efron 1979) of AUROC and accuracy, for scores and for histograms.

A replicate is a vector of how often each example was drawn, so that thousands of them are a few matrix
operations over examples sorted once, instead of thousands of sorts.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score

from wardround.evaluation.curves import Floats
from wardround.evaluation.histograms import class_rows

REPLICATES = 2000
CONFIDENCE = 0.95
_CELLS_AT_ONCE = 4_000_000


class Interval(NamedTuple):
    """A value between its bounds; all NaN where the examples leave it undefined."""

    low: float
    value: float
    high: float


def score_intervals(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    positive: int | None = None,
    groups: ArrayLike | None = None,
    replicates: int = REPLICATES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> dict[str, Interval]:
    """AUROC and accuracy (of the largest score) with their percentile intervals.

    Args:
        scores: float [N, C].
        labels: int [N].
        positive: the class to tell from the rest; None averages one-vs-rest over the classes present.
        groups: any [N], usually patients: drawn as a whole, because images of one patient resemble
            each other and intervals by image would be too narrow. None draws single examples.
    """
    values, truth = np.asarray(scores, np.float64), np.asarray(labels)
    correct = (values.argmax(axis=1) == truth).astype(np.float64)
    classes = (
        [positive] if positive is not None else [c for c in range(values.shape[1]) if np.any(truth == c)]
    )
    sorted_classes = [SortedScores(values[:, c], truth == c) for c in classes]

    def measure(weights: Floats) -> Floats:
        areas = [ranked.areas(weights) for ranked in sorted_classes]
        return np.stack([np.mean(areas, axis=0), weights @ correct / weights.sum(axis=1)])

    drawn = _replicate(measure, _units(groups, len(truth)), replicates, seed)
    area = float(np.mean([reference_auroc(values[:, c], truth == c) for c in classes]))
    return {
        "auroc": _interval(area, drawn[0], confidence),
        "accuracy": _interval(correct.mean(), drawn[1], confidence),
    }


def histogram_interval(
    histogram: ArrayLike,
    positive: int,
    *,
    replicates: int = REPLICATES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Interval:
    """AUROC of int [C, 2, B] with its interval, by example: a histogram no longer knows the patients."""
    rows = class_rows(histogram, positive)
    total = int(rows.sum())
    if not rows.sum(axis=1).all():
        return Interval(*(float("nan"),) * 3)
    drawn = np.random.default_rng(seed).multinomial(total, rows.ravel() / total, size=replicates)
    areas = binned_areas(drawn.reshape(replicates, *rows.shape).astype(np.float64))
    return _interval(float(binned_areas(rows[None].astype(np.float64))[0]), areas, confidence)


def reference_auroc(scores: ArrayLike, positive: ArrayLike) -> float:
    """scikit-learn's AUROC of scores [N] for a boolean [N]; NaN where only one class is there."""
    if np.unique(np.asarray(positive)).size < 2:
        return float("nan")
    return float(roc_auc_score(positive, scores))


def binned_areas(rows: Floats) -> Floats:
    """AUROC of each of float [R, 2, B] counts, ties counting half (Mann-Whitney) → [R]."""
    negatives, positives = rows[:, 0], rows[:, 1]
    below = np.cumsum(negatives, axis=1) - negatives / 2
    pairs = negatives.sum(axis=1) * positives.sum(axis=1)
    with np.errstate(invalid="ignore"):
        areas: Floats = np.einsum("rb,rb->r", positives, below) / pairs
    return areas


class SortedScores:
    """One class's scores in rising order, ready to give the AUROC of any draw of the examples."""

    def __init__(self, scores: Floats, positive: NDArray[np.bool_]) -> None:
        """Scores float [N]; positive bool [N]."""
        self._order = np.argsort(scores, kind="stable")
        ranked = scores[self._order]
        self._starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        self._positive = positive[self._order].astype(np.float64)

    def areas(self, weights: Floats) -> Floats:
        """AUROC for how often each example was drawn, float [R, N] → [R]; NaN where a class was not."""
        ranked = weights[:, self._order]
        positives = np.add.reduceat(ranked * self._positive, self._starts, axis=1)
        everyone = np.add.reduceat(ranked, self._starts, axis=1)
        return binned_areas(np.stack([everyone - positives, positives], axis=1))


def _units(groups: ArrayLike | None, examples: int) -> NDArray[np.int64]:
    if groups is None:
        return np.arange(examples)
    return np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64)


def _replicate(
    measure: Callable[[Floats], Floats], units: NDArray[np.int64], replicates: int, seed: int
) -> Floats:
    """Measures [M, R] of `replicates` draws with replacement of as many units as there are."""
    return np.concatenate(
        [measure(drawn[:, units]) for drawn in _draws(int(units.max()) + 1, len(units), replicates, seed)],
        axis=1,
    )


def _draws(units: int, examples: int, replicates: int, seed: int) -> Iterator[Floats]:
    """How often each unit is drawn, float [≤ R, units] at a time, so that memory does not grow with R."""
    random = np.random.default_rng(seed)
    at_once = max(1, _CELLS_AT_ONCE // examples)
    for start in range(0, replicates, at_once):
        rows = min(at_once, replicates - start)
        places = random.integers(units, size=(rows, units)) + np.arange(rows)[:, None] * units
        yield np.bincount(places.ravel(), minlength=rows * units).reshape(rows, units).astype(np.float64)


def _interval(value: float, drawn: Floats, confidence: float) -> Interval:
    """Percentiles of the replicates that were defined; NaN where fewer than half of them were."""
    defined = drawn[~np.isnan(drawn)]
    if np.isnan(value) or 2 * defined.size < drawn.size:
        return Interval(float("nan"), float(value), float("nan"))
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(value), float(high))
