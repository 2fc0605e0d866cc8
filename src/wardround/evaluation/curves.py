"""Receiver operating characteristic and precision-recall from counts per bin."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold (a probability) gives; NaN where a class has no examples."""

    threshold: float
    sensitivity: float
    specificity: float


@dataclass(frozen=True)
class Roc:
    """A curve from (0, 0) to (1, 1); arrays [B + 1], thresholds falling.

    A case counts as found from its threshold upwards. Without examples of a class its rate is NaN.
    """

    thresholds: Floats
    false_positive_rate: Floats
    true_positive_rate: Floats

    @property
    def area(self) -> float:
        """Area under the curve by the trapezoid rule, so that ties count half; NaN where undefined."""
        return float(np.trapezoid(self.true_positive_rate, self.false_positive_rate))

    def at(self, threshold: float) -> OperatingPoint:
        """The point of the bin edge nearest to `threshold`, a probability."""
        return self.point(int(np.argmin(np.abs(self.thresholds - threshold))))

    def point(self, place: int) -> OperatingPoint:
        """The point at an index of the arrays."""
        return OperatingPoint(
            threshold=float(self.thresholds[place]),
            sensitivity=float(self.true_positive_rate[place]),
            specificity=1.0 - float(self.false_positive_rate[place]),
        )

    def corners(self) -> "Roc":
        """The same curve without the points that lie on a straight stretch of it."""
        across, up = self.false_positive_rate, self.true_positive_rate
        moved = np.flatnonzero(np.concatenate([[True], (np.diff(across) != 0) | (np.diff(up) != 0)]))
        right, rise = np.diff(across[moved]), np.diff(up[moved])
        turns = ~np.isclose(right[1:] * rise[:-1], rise[1:] * right[:-1], rtol=0, atol=1e-15)
        keep = moved[np.concatenate([[True], turns, [True]])] if len(moved) > 1 else moved
        return Roc(self.thresholds[keep], across[keep], up[keep])


def roc_curve(negatives: ArrayLike, positives: ArrayLike, thresholds: Floats) -> Roc:
    """Counts per bin, rising scores, [B] each; `thresholds` are the bins' edges, rising [B + 1]."""
    return Roc(thresholds[::-1], _rate(negatives), _rate(positives))


def _rate(counts: ArrayLike) -> Floats:
    """Share of the examples at or above each edge, from the highest edge to the lowest."""
    found: Floats = np.concatenate([[0.0], np.cumsum(np.asarray(counts, dtype=np.float64)[::-1])])
    with np.errstate(invalid="ignore"):
        shares: Floats = found / found[-1]
    return shares


def youden(roc: Roc) -> OperatingPoint:
    """The threshold with the largest sensitivity + specificity - 1 (Youden 1950); of equals the middle one,
    which a new example is least likely to cross."""
    gain = roc.true_positive_rate - roc.false_positive_rate
    if np.isnan(gain).any():
        return OperatingPoint(float("nan"), *(float("nan"),) * 2)
    best = np.flatnonzero(np.isclose(gain, gain.max(), rtol=0, atol=1e-12))
    first_run = best[: np.argmax(np.diff(best, append=best[-1] + 2) > 1) + 1]
    return roc.point(int(first_run[len(first_run) // 2]))


def average_precision(negatives: ArrayLike, positives: ArrayLike) -> float:
    """Area under precision-recall as a sum of steps (no interpolation); NaN without positives."""
    true_found = np.cumsum(np.asarray(positives, dtype=np.float64)[::-1])
    found = true_found + np.cumsum(np.asarray(negatives, dtype=np.float64)[::-1])
    if not true_found.size or not true_found[-1]:
        return float("nan")
    precision = np.divide(true_found, found, out=np.zeros_like(found), where=found > 0)
    return float(np.sum(np.diff(true_found, prepend=0.0) * precision) / true_found[-1])
