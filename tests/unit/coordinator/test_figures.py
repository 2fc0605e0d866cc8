"""Measurements become JSON, whatever the graphs measured."""

import json
import math

import numpy as np

from wardround.coordinator.figures import evaluation_figures, plain_figures
from wardround.coordinator.register import evaluation_metrics, training_metrics
from wardround.exchange.messages import Measured, OutcomeMessage


def test_numbers_that_are_not_finite_become_none_and_arrays_lists() -> None:
    figures = plain_figures(
        {"b": math.nan, "a": np.float32(0.5), "c": np.array([1.0, np.inf]), "d": np.int64(3)}
    )
    assert figures == {"a": 0.5, "b": None, "c": [1.0, None], "d": 3}
    json.dumps(figures, allow_nan=False)


def test_a_histogram_yields_clinical_metrics_beside_the_measurements() -> None:
    histogram = np.zeros((2, 2, 256), np.int64)
    histogram[1, 0, 10] = histogram[1, 1, 200] = 5
    histogram[0, 1, 245] = histogram[0, 0, 55] = 5
    figures = evaluation_figures({"loss": 0.25, "histogram": histogram}, positive=1)
    assert figures["auroc"] == 1.0 and figures["loss"] == 0.25
    assert np.array_equal(np.asarray(figures["histogram"]), histogram)


def test_an_evaluation_without_histogram_keeps_its_measurements() -> None:
    assert evaluation_figures({"loss": 0.25}, positive=None) == {"loss": 0.25}


def test_curves_have_a_name_for_split_and_site_and_leave_out_what_has_no_value() -> None:
    validation = {"loss": 0.5, "auroc": None, "histogram": [[1]]}
    measured = Measured(
        measurements={"loss": 0.75, "norms": [1, 2]},
        evaluation={"validation": validation, "test": {"auroc": 0.9}},
        per_site={"alder": {"validation": {"accuracy": 1}}},
    )
    outcome = OutcomeMessage(
        status="completed", model=1, accepted=("alder",), refused=(), missing=(), measured=measured
    )
    assert evaluation_metrics(outcome) == {"val_loss": 0.5, "test_auroc": 0.9, "site/alder/val_accuracy": 1.0}
    assert training_metrics(outcome) == {"train_loss": 0.75, "sites_accepted": 1.0, "sites_refused": 0.0}
