"""Histograms give scikit-learn's figures on the same ties, and nearly so on the scores themselves."""

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score, roc_curve

from wardround.evaluation.histograms import (
    BINS,
    HistogramError,
    checked,
    class_metrics,
    class_roc,
    histogram_of,
    metrics_from_histogram,
    tied_pairs,
    to_json,
)


@st.composite
def scored(draw: st.DrawFn, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Softmax scores [N, C] and labels [N] in which every class occurs."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(classes * 4, 120))
    labels = np.concatenate([np.arange(classes), random.integers(classes, size=count - classes)])
    logits = random.normal(size=(count, classes)) * draw(st.floats(0.05, 6))
    logits[np.arange(count), labels] += draw(st.floats(-1, 4))
    exponential = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponential / exponential.sum(axis=1, keepdims=True), labels


def spread(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The counts of one class as (bin of each example, whether it is of the class)."""
    places = np.arange(rows.shape[1])
    binned = np.concatenate([np.repeat(places, rows[0]), np.repeat(places, rows[1])])
    return binned, np.repeat([0, 1], rows.sum(axis=1))


@given(arrays.arrays(np.int64, (2, 16), elements=st.integers(0, 9)))
def test_areas_equal_those_of_scikit_learn_with_the_bins_as_scores(rows: np.ndarray) -> None:
    assume(rows.sum(axis=1).all())
    bins, truth = spread(rows)
    metrics = class_metrics(rows)
    assert metrics["auroc"] == pytest.approx(roc_auc_score(truth, bins))
    assert metrics["auprc"] == pytest.approx(average_precision_score(truth, bins))


@given(scored())
def test_auroc_differs_from_the_scores_own_by_half_the_tied_pairs_at_most(
    case: tuple[np.ndarray, np.ndarray],
) -> None:
    scores, labels = case
    rows = histogram_of(scores, labels)[1]
    exact = roc_auc_score(labels == 1, scores[:, 1])
    assert abs(class_metrics(rows)["auroc"] - exact) <= tied_pairs(rows) / 2 + 1e-12


@given(scored())
def test_the_brier_score_differs_by_what_half_a_bin_is_worth(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = case
    half_a_bin = 12 / BINS / 4
    exact = brier_score_loss(labels == 1, scores[:, 1])
    assert metrics_from_histogram(histogram_of(scores, labels), 1)["brier"] == pytest.approx(
        exact, abs=2 * half_a_bin
    )


@given(scored(classes=4))
def test_without_a_positive_class_the_macro_average_is_taken(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = case
    histogram = histogram_of(scores, labels)
    metrics = metrics_from_histogram(histogram)
    allowed = np.mean([tied_pairs(rows) for rows in histogram]) / 2 + 1e-9
    exact = roc_auc_score(labels, scores, multi_class="ovr", average="macro")
    assert abs(metrics["auroc"] - exact) <= allowed
    assert metrics["num_classes"] == 4


@given(scored(), scored())
def test_metrics_of_a_sum_are_the_metrics_of_the_pooled_examples(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> None:
    apart = histogram_of(*first) + histogram_of(*second)
    pooled = histogram_of(np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]]))
    assert metrics_from_histogram(apart, 1) == metrics_from_histogram(pooled, 1)


@given(arrays.arrays(np.int64, (2, 16), elements=st.integers(0, 4)))
def test_the_curve_without_its_straight_stretches_has_the_same_area(rows: np.ndarray) -> None:
    assume(rows.sum(axis=1).all())
    roc = class_roc(rows)
    assert roc.corners().area == pytest.approx(roc.area)
    bins, truth = spread(rows)
    assert len(roc.corners().thresholds) <= len(roc_curve(truth, bins, drop_intermediate=True)[0])


def test_the_threshold_of_youden_parts_what_can_be_parted() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.8, 0.9])
    metrics = metrics_from_histogram(histogram_of(np.stack([1 - scores, scores], 1), [0, 0, 0, 1, 1]), 1)
    assert 0.3 < metrics["threshold"] <= 0.8
    assert (metrics["sensitivity"], metrics["specificity"]) == (1.0, 1.0)


def test_a_threshold_from_validation_is_kept_for_test() -> None:
    scores = np.array([0.1, 0.6, 0.7, 0.9])
    histogram = histogram_of(np.stack([1 - scores, scores], 1), [0, 0, 1, 1])
    metrics = metrics_from_histogram(histogram, 1, threshold=0.5)
    assert metrics["threshold"] == pytest.approx(0.5, abs=0.02)
    assert (metrics["sensitivity"], metrics["specificity"]) == (1.0, 0.5)


def test_perfectly_calibrated_scores_have_almost_no_calibration_error() -> None:
    random = np.random.default_rng(1)
    scores = random.uniform(0.02, 0.98, 200_000)
    histogram = histogram_of(np.stack([1 - scores, scores], 1), random.uniform(size=scores.size) < scores)
    assert metrics_from_histogram(histogram, 1)["ece"] < 0.01


def test_a_missing_class_leaves_metrics_undefined_and_null_in_json() -> None:
    histogram = histogram_of([[0.4, 0.6], [0.2, 0.8]], [1, 1])
    metrics = to_json(metrics_from_histogram(histogram, 1))
    assert metrics["auroc"] is None
    assert metrics["num_examples"] == 2
    assert "NaN" not in json.dumps(metrics, allow_nan=False)


def test_a_class_that_no_site_has_is_left_out_of_the_average_and_said_so() -> None:
    metrics = metrics_from_histogram(histogram_of([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1]], [0, 1]))
    assert metrics["num_classes"] == 2
    assert metrics["auroc"] == 1.0


def test_no_examples_at_all_are_no_error() -> None:
    assert to_json(metrics_from_histogram(np.zeros((2, 2, BINS)), 1))["auroc"] is None


def test_certain_scores_fall_into_the_outer_bins() -> None:
    histogram = histogram_of([[0.0, 1.0], [1.0, 0.0]], [1, 0])
    assert histogram[1, 1, -1] == 1
    assert histogram[1, 0, 0] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 3, 4)),
        np.zeros((2, 256)),
        -np.ones((2, 2, 4)),
        np.full((2, 2, 4), np.nan),
        [[["a"], ["b"]]],
    ],
)
def test_what_is_no_histogram_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(HistogramError) as refusal:
        checked(wrong)
    assert refusal.value.code == "bad-histogram"
