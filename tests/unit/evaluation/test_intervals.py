"""Intervals by bootstrap: equal to scikit-learn replicate by replicate, by patient, repeatable."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, roc_auc_score

from wardround.evaluation.histograms import histogram_of
from wardround.evaluation.intervals import SortedScores, histogram_interval, score_intervals


def cases(seed: int, count: int = 300, gain: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(2, size=count)
    found = 1 / (1 + np.exp(-(random.normal(size=count) + gain * (labels - 0.5))))
    return np.stack([1 - found, found], axis=1), labels


@given(st.integers(0, 10_000))
def test_every_replicate_has_the_auroc_that_scikit_learn_gives_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, 8, size=40) / 8
    positive = np.concatenate([[True, False], random.uniform(size=38) < 0.4])
    weights = np.concatenate([np.ones((3, 2)), random.integers(0, 4, size=(3, 38))], axis=1)
    exact = [roc_auc_score(positive, scores, sample_weight=row) for row in weights]
    assert SortedScores(scores, positive).areas(weights) == pytest.approx(np.array(exact))


def test_values_are_those_of_scikit_learn_and_lie_in_their_intervals() -> None:
    scores, labels = cases(1)
    intervals = score_intervals(scores, labels, positive=1)
    assert intervals["auroc"].value == pytest.approx(roc_auc_score(labels, scores[:, 1]))
    assert intervals["accuracy"].value == pytest.approx(accuracy_score(labels, scores.argmax(axis=1)))
    for low, value, high in intervals.values():
        assert low < value < high


def test_the_same_seed_gives_the_same_interval() -> None:
    scores, labels = cases(2)
    assert score_intervals(scores, labels, seed=3) == score_intervals(scores, labels, seed=3)
    assert score_intervals(scores, labels, seed=3) != score_intervals(scores, labels, seed=4)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = 0.8556  # P(Z < 1.5 / sqrt 2) for two normal distributions 1.5 apart
    bounds = [score_intervals(*cases(seed), positive=1, replicates=400)["auroc"] for seed in range(200)]
    assert 0.88 < np.mean([low <= truth <= high for low, _, high in bounds]) < 0.99


def test_drawing_patients_widens_the_interval_where_images_of_a_patient_agree() -> None:
    scores, labels = cases(5, count=60)
    repeated = np.repeat(scores, 10, axis=0), np.repeat(labels, 10)
    by_image = score_intervals(*repeated, positive=1)["auroc"]
    by_patient = score_intervals(*repeated, positive=1, groups=np.repeat(np.arange(60), 10))["auroc"]
    assert by_patient.high - by_patient.low > 2 * (by_image.high - by_image.low)


def test_drawing_in_parts_draws_the_same_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, labels = cases(6, count=50)
    at_once = score_intervals(scores, labels, replicates=100)
    monkeypatch.setattr("wardround.evaluation.intervals._CELLS_AT_ONCE", 50 * 7)
    assert score_intervals(scores, labels, replicates=100) == at_once


def test_with_one_class_only_auroc_is_undefined_and_accuracy_is_not() -> None:
    intervals = score_intervals([[0.4, 0.6], [0.7, 0.3]], [1, 1], positive=1)
    assert np.isnan(intervals["auroc"]).all()
    assert intervals["accuracy"].value == 0.5


def test_a_histogram_gives_nearly_the_interval_of_its_scores() -> None:
    scores, labels = cases(7)
    from_scores = score_intervals(scores, labels, positive=1)["auroc"]
    assert histogram_interval(histogram_of(scores, labels), 1) == pytest.approx(from_scores, abs=0.01)


def test_a_histogram_of_one_class_has_no_interval() -> None:
    assert np.isnan(histogram_interval(histogram_of([[0.4, 0.6]], [1]), 1)).all()
