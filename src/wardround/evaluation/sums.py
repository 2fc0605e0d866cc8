"""What a site tells of the scores on its patients: a few sums, made by the runtime out of scores and labels.

    predict ─→ scores float32 [N, C], labels int [N] ─sums_of─→ sums ─check, added─→ sums ─figures─→ figures

No graph of a plan takes part: a plan says how to score an image, and this module is all that leaves of the scores.

Law: sums are additive. With `+` for `added` and `&` for examples put together,
`sums_of(a) + sums_of(b) == sums_of(a & b)`, to the last bit and in any order, because they are integers.

Names, shapes and limits of the sums are those of `spec`, and nothing else is ever sent. Sums that keep `check`'s
limits can be added for 10^5 sites of 10^7 images each without leaving int64.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wardround.errors import RefusedError
from wardround.evaluation.histograms import BINS, Counts, count_log_odds, log_odds

MAX_EXAMPLES = 10**7  # of one site in one split
LOSS_UNIT = 2.0**-16  # nat; the loss of one example is off by at most half of it
SMALLEST = (
    2.0**-126
)  # the smallest normal float32: a smaller probability of the truth costs no more than this one
MAX_LOSS = ceil(-log(SMALLEST) / LOSS_UNIT)  # of one example, in units: 87.3 nat
_ABOUT_ONE = 1e-3  # by how much the scores of one example may miss a sum of 1

Sums = dict[str, NDArray[np.int64]]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SumSpec:
    """One of the sums: an int64 array of this shape, every value at least 0 and below `limit` at one site."""

    shape: tuple[int, ...]
    limit: int
    meaning: str
    dtype: str = "int64"


def spec(classes: int) -> dict[str, SumSpec]:
    """Every sum that leaves a site for one split, by name, for a task of so many classes."""
    below = MAX_EXAMPLES + 1
    return {
        "num_examples": SumSpec((), below, "number of examples"),
        "correct": SumSpec((), below, "number of examples whose largest score is that of their label"),
        "undefined": SumSpec((), below, "number of examples whose scores are no probabilities"),
        "loss_sum": SumSpec(
            (), MAX_EXAMPLES * MAX_LOSS + 1, "sum of the loss over the examples, in 2^-16 nat"
        ),
        "histogram": SumSpec(
            (classes, 2, BINS),
            below,
            "how many examples of the other classes and of this one had which score, by class",
        ),
    }


def sums_of(scores: NDArray[np.float32], labels: ArrayLike) -> Sums:
    """The sums over examples with scores float32 [N, C] and labels int [N].

    The loss is cross-entropy, −log of the score of the label, in steps of 2^-16 nat. An example whose scores are no
    probabilities (see `defined`) counts as undefined and as wrong, has the largest loss, and log-odds 0 for every class.

    Raises RefusedError: `wrong-scores` for another shape or dtype; `wrong-dataset` for a label that is no class.
    """
    truth = _labels(scores, labels)
    usable = defined(scores)
    values = scores[usable].astype(np.float64)
    chances = values[np.arange(len(values)), truth[usable]]
    odds = np.zeros(scores.shape, np.float64)
    odds[usable] = log_odds(values)
    return {
        "num_examples": _scalar(len(truth)),
        "correct": _scalar((values.argmax(axis=1) == truth[usable]).sum()),
        "undefined": _scalar(len(truth) - len(values)),
        "loss_sum": _scalar(_losses(chances).sum() + MAX_LOSS * (len(truth) - len(values))),
        "histogram": count_log_odds(odds, truth),
    }


def defined(scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which rows of scores [N, C] are probabilities: finite, at least 0, of sum 1 to within 0.001 → bool [N]."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = scores.astype(np.float64).sum(axis=1)
        found: NDArray[np.bool_] = (scores >= 0).all(axis=1) & (np.abs(total - 1) <= _ABOUT_ONE)
    return found


def zero(classes: int) -> Sums:
    """The sums over no example."""
    return {name: np.zeros(each.shape, np.int64) for name, each in spec(classes).items()}


def added(first: Sums, second: Sums) -> Sums:
    """The sums over the examples of both. Raises RefusedError `too-many` where an integer would not hold them."""
    with np.errstate(over="ignore"):  # NumPy warns of scalars only
        total = {name: np.asarray(value + second[name]) for name, value in first.items()}
    for name, value in total.items():
        if (second[name] < 0).any() or (value < first[name]).any():  # two's complement wraps to a smaller one
            raise RefusedError(f"{name} does not fit an integer of 64 bits any more", code="too-many")
    return total


def check(sums: Sums, classes: int, *, most: int) -> None:
    """Are these the sums over at most `most` examples, as far as sums can tell? Names, shapes and dtypes are `spec`'s.

    Raises RefusedError `out-of-range` that names the sum, its value and what is legal: negative counts, more hits than
    examples, a loss below or above what any scores give, a histogram whose classes count other examples.
    """
    most = min(most, MAX_EXAMPLES)
    count = _within("num_examples", sums["num_examples"], 0, most)
    undefined = _within("undefined", sums["undefined"], 0, count)
    _within("correct", sums["correct"], 0, count - undefined)
    _within("loss_sum", sums["loss_sum"], undefined * MAX_LOSS, count * MAX_LOSS)
    histogram = sums["histogram"]
    _within("histogram", histogram.min(), 0, count)
    _within("histogram", histogram.max(), 0, count)
    for label in range(classes):
        _within(f"histogram of class {label}", histogram[label].sum(), count, count)
    _within("histogram of every class's own examples", histogram[:, 1].sum(), count, count)


def figures(sums: Mapping[str, NDArray[np.int64]]) -> dict[str, Any]:
    """Loss (mean, nat), accuracy, num_examples, undefined, and histogram int64 [C, 2, 256].

    Loss and accuracy of no example are None: they are unknown, not 0.
    """
    count = int(sums["num_examples"])
    return {
        "loss": int(sums["loss_sum"]) * LOSS_UNIT / count if count else None,
        "accuracy": int(sums["correct"]) / count if count else None,
        "num_examples": count,
        "undefined": int(sums["undefined"]),
        "histogram": sums["histogram"],
    }


def _labels(scores: NDArray[np.float32], labels: ArrayLike) -> NDArray[np.int64]:
    truth = np.asarray(labels)
    if scores.ndim != 2 or scores.dtype != np.float32 or scores.shape[:1] != truth.shape:
        raise RefusedError(
            f"scores are {scores.dtype}{list(scores.shape)} for {truth.size} examples; legal are float32[N, classes]",
            code="wrong-scores",
        )
    if truth.size and not (truth.min() >= 0 and truth.max() < scores.shape[1]):
        raise RefusedError(
            f"the data set has labels from {truth.min()} to {truth.max()}, the plan has {scores.shape[1]} classes, "
            "from 0: preprocess again with the plan's labels",
            code="wrong-dataset",
        )
    return truth.astype(np.int64)


def _losses(chances: Floats) -> Counts:
    """−log of probabilities [N] in units, each from 0 to `MAX_LOSS`."""
    loss = np.rint(-np.log(np.clip(chances, SMALLEST, 1.0)) / LOSS_UNIT)
    return np.minimum(loss, MAX_LOSS).astype(np.int64)


def _scalar(value: Any) -> NDArray[np.int64]:
    return np.asarray(value, np.int64)


def _within(name: str, value: Any, least: int, most: int) -> int:
    found = int(value)
    if not least <= found <= most:
        raise RefusedError(f"{name} is {found}, legal are {least} to {most}", code="out-of-range")
    return found
