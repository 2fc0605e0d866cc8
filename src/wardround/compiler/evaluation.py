"""Federated evaluation of a broadcast model, as a process of its own."""

import collections
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_federated as tff

from wardround.compiler.metrics import BINS
from wardround.compiler.model import CompiledModel


def build_evaluation(recipe: Mapping[str, Any], model: CompiledModel) -> Any:
    """Return a process whose updates hold sums only: loss, hits, examples and a histogram of scores."""
    metrics = tff.learning.metrics
    factory = metrics.SecureSumThenFinalizeFactory if _secure(recipe) else metrics.SumThenFinalizeFactory
    aggregation = factory(model.evaluate.finalize_metrics).create(_state_type(model.classes))
    return tff.learning.algorithms.build_fed_eval(model.evaluate, metrics_aggregation_process=aggregation)


def _secure(recipe: Mapping[str, Any]) -> bool:
    return bool(recipe["aggregation"]["secure"])


def _state_type(classes: int) -> Any:
    return tff.types.to_type(
        collections.OrderedDict(
            loss_sum=np.float32,
            correct=np.int32,
            num_examples=np.int32,
            histogram=tff.types.TensorType(np.int32, [classes, 2, BINS]),
        )
    )
