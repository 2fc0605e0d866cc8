"""What Kubeflow draws as ROC curve and confusion matrix: metadata of a `system.ClassificationMetrics`
artifact, as plain dicts for the executor output file (kfp 2.17, `ClassificationMetrics.log_roc_curve`
and `log_confusion_matrix`), so that containers need no kfp.
"""

from collections.abc import Sequence
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wardround.evaluation.curves import Roc
from wardround.evaluation.histograms import HistogramError
from wardround.text import foreign


def roc_metadata(roc: Roc) -> dict[str, Any]:
    """{"confidenceMetrics": [{"confidenceThreshold", "recall", "falsePositiveRate"}, …]}.

    Empty where a class has no examples: ML Metadata has no NaN, and a chart of half a curve would mislead.
    """
    if isnan(roc.area):
        return {}
    corners = roc.corners()
    points = zip(corners.thresholds, corners.true_positive_rate, corners.false_positive_rate, strict=True)
    return {
        "confidenceMetrics": [
            {
                "confidenceThreshold": float(threshold),
                "recall": float(found),
                "falsePositiveRate": float(false),
            }
            for threshold, found, false in points
        ]
    }


def confusion_metadata(categories: Sequence[str], matrix: ArrayLike) -> dict[str, Any]:
    """{"confusionMatrix": {"annotationSpecs": [{"displayName"}, …], "rows": [{"row": […]}, …]}}.

    Args:
        categories: names of the C classes.
        matrix: int [C, C], rows the truth, columns the prediction.

    Raises:
        HistogramError: the matrix is not square over the categories.
    """
    counts = np.asarray(matrix)
    if counts.shape != (len(categories), len(categories)):
        raise HistogramError(f"{len(categories)} categories need a square matrix, got {list(counts.shape)}")
    return {
        "confusionMatrix": {
            "annotationSpecs": [{"displayName": foreign(name, 80)} for name in categories],
            "rows": [{"row": [int(count) for count in row]} for row in counts],
        }
    }


def confusion_of_scores(scores: ArrayLike, labels: ArrayLike) -> NDArray[np.int64]:
    """Truth × largest score: float [N, C], int [N] → int64 [C, C]."""
    values = np.asarray(scores)
    matrix = np.zeros((values.shape[1], values.shape[1]), np.int64)
    np.add.at(matrix, (np.asarray(labels), values.argmax(axis=1)), 1)
    return matrix


def confusion_of_rows(rows: NDArray[np.int64], roc: Roc, threshold: float) -> NDArray[np.int64]:
    """Truth × found, each (rest, class), of one class's histogram int [2, B] at a probability → [2, 2]."""
    point = roc.at(threshold)
    rest, positives = (int(count) for count in rows.sum(axis=1))
    true_found = round(point.sensitivity * positives) if positives else 0
    false_found = round((1 - point.specificity) * rest) if rest else 0
    return np.array([[rest - false_found, false_found], [positives - true_found, true_found]], np.int64)
