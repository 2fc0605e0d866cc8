"""What a user interface shows of one evaluated model: flat numbers, a ROC curve and a confusion matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from wardround.evaluation.curves import youden
from wardround.evaluation.histograms import Counts, class_metrics, class_roc, class_rows
from wardround.evaluation.kubeflow import confusion_metadata, confusion_of_rows, roc_metadata

NUMBERS = ("loss", "accuracy", "auroc", "auprc", "num_examples")


@dataclass(frozen=True)
class Question:
    """What is asked of the scores. `positive`: the class to find, None for none; `threshold`: None takes Youden's."""

    labels: tuple[str, ...]
    positive: int | None
    threshold: float | None = None


def numbers(figures: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """Those of an outcome's figures that are one number each, under `<prefix>_<name>`."""
    found = {name: figures.get(name) for name in NUMBERS}
    return {f"{prefix}_{n}": float(v) for n, v in found.items() if isinstance(v, int | float) and isfinite(v)}


def positive_rows(figures: Mapping[str, Any], question: Question) -> Counts | None:
    """Counts int [2, B] of the positive class; None where there is no such class or no histogram."""
    histogram = figures.get("histogram")
    if histogram is None or question.positive is None:
        return None
    return class_rows(histogram, question.positive)


def chosen_threshold(question: Question, validation: Counts | None) -> float | None:
    """The probability from which on a case counts as found, chosen where the model is not being judged."""
    if question.threshold is not None or validation is None:
        return question.threshold
    threshold = youden(class_roc(validation)).threshold
    return threshold if isfinite(threshold) else None


def operating_figures(rows: Counts, threshold: float | None, prefix: str) -> dict[str, float]:
    """Threshold, sensitivity, specificity and calibration of counts int [2, B], as far as they are defined."""
    found = class_metrics(rows, threshold)
    names = ("threshold", "sensitivity", "specificity", "ece", "brier")
    return {f"{prefix}_{name}": found[name] for name in names if isfinite(found[name])}


def classification_metadata(rows: Counts, question: Question, threshold: float | None) -> dict[str, Any]:
    """Metadata of a `ClassificationMetrics` artifact for counts int [2, B] of the positive class."""
    roc = class_roc(rows)
    metadata = roc_metadata(roc)
    if not metadata or threshold is None:
        return metadata
    matrix = confusion_of_rows(rows, roc, threshold)
    return metadata | confusion_metadata(_categories(question), matrix)


def _categories(question: Question) -> Sequence[str]:
    positive = question.labels[question.positive or 0]
    others = [label for label in question.labels if label != positive]
    return (others[0] if len(others) == 1 else f"not {positive}", positive)
