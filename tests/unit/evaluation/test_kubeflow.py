"""The payloads equal what kfp's own artifact class would have written."""

import json

import numpy as np
import pytest
from kfp.dsl import ClassificationMetrics

from wardround.evaluation.histograms import HistogramError, class_roc, histogram_of
from wardround.evaluation.kubeflow import (
    confusion_metadata,
    confusion_of_rows,
    confusion_of_scores,
    roc_metadata,
)

SCORES = np.array([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.2, 0.8], [0.1, 0.9]])
LABELS = np.array([0, 0, 0, 1, 1])


def test_the_curve_equals_what_kfp_writes() -> None:
    roc = class_roc(histogram_of(SCORES, LABELS)[1]).corners()
    theirs = ClassificationMetrics()
    theirs.log_roc_curve(
        roc.false_positive_rate.tolist(), roc.true_positive_rate.tolist(), roc.thresholds.tolist()
    )
    assert roc_metadata(class_roc(histogram_of(SCORES, LABELS)[1])) == theirs.metadata


def test_the_confusion_matrix_equals_what_kfp_writes() -> None:
    matrix = confusion_of_scores(SCORES, LABELS)
    theirs = ClassificationMetrics()
    theirs.log_confusion_matrix(["normal", "pneumonia"], matrix.tolist())
    assert confusion_metadata(["normal", "pneumonia"], matrix) == theirs.metadata
    assert matrix.tolist() == [[2, 1], [0, 2]]


def test_counts_of_a_histogram_give_the_matrix_of_the_scores() -> None:
    rows = histogram_of(SCORES, LABELS)[1]
    assert (
        confusion_of_rows(rows, class_roc(rows), 0.5).tolist() == confusion_of_scores(SCORES, LABELS).tolist()
    )


def test_a_curve_without_one_class_is_left_out() -> None:
    assert roc_metadata(class_roc(histogram_of(SCORES, np.ones(5))[1])) == {}


def test_the_payload_is_json() -> None:
    roc = class_roc(histogram_of(SCORES, LABELS)[1])
    json.dumps(
        roc_metadata(roc) | confusion_metadata(["a", "b"], confusion_of_scores(SCORES, LABELS)),
        allow_nan=False,
    )


def test_a_matrix_of_another_size_than_its_names_is_refused() -> None:
    with pytest.raises(HistogramError):
        confusion_metadata(["a", "b", "c"], np.zeros((2, 2)))
