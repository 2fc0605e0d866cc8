"""Clinical metrics from histograms of scores, which add up over hospitals while scores never leave one.

A histogram is an integer array [C, 2, B]. For class c, row 0 counts the examples of every other class and
row 1 those of class c, in B uniform bins of the log-odds of the class's score, clipped to ±`LIMIT`.

Law: histograms are additive, so metrics of a sum of histograms are the metrics of the pooled examples.
Examples in one bin count as ties, hence AUROC is off by at most half the share of pairs that are tied
(`tied_pairs`), and the Brier score and the calibration error by what half a bin is worth in probability.
"""

from collections.abc import Iterable
from math import isnan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wardround.errors import WardroundError
from wardround.evaluation.curves import Floats, Roc, average_precision, roc_curve, youden

BINS = 256
LIMIT = 12.0
CALIBRATION_BINS = 10

Counts = NDArray[np.int64]


class HistogramError(WardroundError):
    """An array is no histogram of scores."""

    code = "bad-histogram"


def edges(bins: int = BINS) -> Floats:
    """Edges of the bins in log-odds, float64 [bins + 1]."""
    return np.linspace(-LIMIT, LIMIT, bins + 1)


def probabilities(log_odds: Floats) -> Floats:
    """The logistic function, elementwise."""
    return 1.0 / (1.0 + np.exp(-log_odds))


def checked(histogram: ArrayLike, *, classes: int | None = None) -> Counts:
    """The histogram as int64 [C, 2, B].

    Raises:
        HistogramError: another shape, a negative or a fractional count, or another number of classes.
    """
    given = np.asarray(histogram)
    if given.ndim != 3 or given.shape[1] != 2 or 0 in given.shape:
        raise HistogramError(f"expected shape [classes, 2, bins], got {list(given.shape)}; send it again")
    if classes is not None and len(given) != classes:
        raise HistogramError(f"{len(given)} classes given, the task has {classes}; use the run's own plan")
    if not np.issubdtype(given.dtype, np.number) or np.any(given < 0) or np.any(given != np.floor(given)):
        raise HistogramError("counts must be whole numbers ≥ 0; look for an update gone wrong")
    return given.astype(np.int64)


def log_odds(scores: ArrayLike) -> Floats:
    """log(p / (1 − p)) of scores [N, C] whose rows sum to 1 → float64 [N, C], clipped to ±`LIMIT`.

    1 − p is taken as the sum of the other scores, which stays exact where p itself is rounded to 1.
    """
    values = np.asarray(scores, dtype=np.float64)
    rest = values @ (1.0 - np.eye(values.shape[1]))
    with np.errstate(divide="ignore"):
        odds: Floats = np.clip(np.log(values) - np.log(rest), -LIMIT, LIMIT)
    return odds


def count_log_odds(odds: Floats, labels: ArrayLike, bins: int = BINS) -> Counts:
    """Count log-odds [N, C] within ±`LIMIT` of examples with labels (int [N], from 0) → int64 [C, 2, bins]."""
    classes = odds.shape[1]
    own = np.asarray(labels)[:, None] == np.arange(classes)
    places = np.minimum((odds + LIMIT) / (2 * LIMIT) * bins, bins - 1).astype(np.int64)
    flat = (np.arange(classes) * 2 + own) * bins + places
    return np.bincount(flat.ravel(), minlength=classes * 2 * bins).reshape(classes, 2, bins).astype(np.int64)


def histogram_of(scores: ArrayLike, labels: ArrayLike, bins: int = BINS) -> Counts:
    """Count scores (float [N, C], rows sum to 1) of examples with labels (int [N]) → int64 [C, 2, bins]."""
    return count_log_odds(log_odds(scores), labels, bins)


def class_rows(histogram: ArrayLike, label: int) -> Counts:
    """One class's int64 [2, B].

    Raises:
        HistogramError: there is no such class.
    """
    counts = checked(histogram)
    if not 0 <= label < len(counts):
        raise HistogramError(f"class {label} is asked for, the histogram has classes 0 to {len(counts) - 1}")
    rows: Counts = counts[label]
    return rows


def class_roc(rows: Counts) -> Roc:
    """The ROC curve of one class; the thresholds are probabilities, falling from 1 to 0."""
    thresholds = probabilities(edges(rows.shape[1]))
    thresholds[[0, -1]] = 0.0, 1.0
    return roc_curve(rows[0], rows[1], thresholds)


def tied_pairs(rows: Counts) -> float:
    """Share of (other class, this class) pairs that share a bin; AUROC is exact to half of it."""
    pairs = float(rows[0].sum()) * float(rows[1].sum())
    return float(rows[0].astype(np.float64) @ rows[1]) / pairs if pairs else float("nan")


def reliability(rows: Counts, groups: int = CALIBRATION_BINS) -> tuple[Floats, Floats, Floats]:
    """Mean predicted probability, observed frequency and number of examples in `groups` equal steps of
    probability, float64 [groups] each; NaN where a step is empty."""
    bin_edges = edges(rows.shape[1])
    predicted = probabilities((bin_edges[:-1] + bin_edges[1:]) / 2)
    step = np.minimum((predicted * groups).astype(np.int64), groups - 1)
    total = np.bincount(step, rows.sum(axis=0), groups).astype(np.float64)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(step, rows.sum(axis=0) * predicted, groups) / total
        observed = np.bincount(step, rows[1], groups) / total
    return mean, observed, total


def calibration_error(rows: Counts) -> float:
    """Expected calibration error (Naeini et al., AAAI 2015) over ten equal steps of probability."""
    mean, observed, total = reliability(rows)
    if not total.sum():
        return float("nan")
    return float(np.nansum(total * np.abs(mean - observed)) / total.sum())


def brier(rows: Counts) -> float:
    """One-vs-rest Brier score (Brier 1950), with every score taken at the middle of its bin."""
    bin_edges = edges(rows.shape[1])
    predicted = probabilities((bin_edges[:-1] + bin_edges[1:]) / 2)
    total = int(rows.sum())
    return float((rows[0] @ predicted**2 + rows[1] @ (1 - predicted) ** 2) / total) if total else float("nan")


def class_metrics(rows: Counts, threshold: float | None = None) -> dict[str, float]:
    """The metrics of one class against the rest; NaN where a class without examples leaves one undefined."""
    roc = class_roc(rows)
    point = youden(roc) if threshold is None else roc.at(threshold)
    return {
        "auroc": roc.area,
        "auprc": average_precision(rows[0], rows[1]),
        "threshold": point.threshold,
        "sensitivity": point.sensitivity,
        "specificity": point.specificity,
        "ece": calibration_error(rows),
        "brier": brier(rows),
    }


def metrics_from_histogram(
    histogram: ArrayLike, positive: int | None = None, threshold: float | None = None
) -> dict[str, float]:
    """Metrics of class `positive` against the rest, or their macro average over all classes.

    Args:
        histogram: int [C, 2, B].
        positive: the class whose presence is the finding; None averages over the classes that have examples
            (and, for the thresholded figures, uses each class's own threshold).
        threshold: probability from which on a case counts as found; None takes Youden's (1950), which on
            the same examples is optimistic: choose it on validation and pass it for test.

    Returns:
        auroc, auprc, threshold, sensitivity, specificity, ece, brier, num_examples and, averaged,
        num_classes: how many classes had an AUROC. NaN is an honest answer: see `to_json`.

    Raises:
        HistogramError: this is no histogram, or has no class `positive`.
    """
    counts = checked(histogram)
    examples = {"num_examples": float(counts[0].sum())}
    if positive is not None:
        return class_metrics(class_rows(counts, positive), threshold) | examples
    each = [class_metrics(rows, threshold) for rows in counts]
    averages = {name: _mean(metrics[name] for metrics in each) for name in each[0]}
    return averages | examples | {"num_classes": float(sum(not isnan(metrics["auroc"]) for metrics in each))}


def to_json(metrics: dict[str, float]) -> dict[str, float | None]:
    """The same with None for what is undefined, because JSON has no NaN."""
    return {name: value if np.isfinite(value) else None for name, value in metrics.items()}


def _mean(values: Iterable[float]) -> float:
    defined = [value for value in values if not isnan(value)]
    return sum(defined) / len(defined) if defined else float("nan")
