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
    inner = metrics.SecureSumFactory(_ranges()) if recipe["aggregation"]["secure"] else None
    factory = metrics.SumThenFinalizeFactory(model.evaluate.finalize_metrics, inner_summation_factory=inner)
    aggregation = factory.create(_state_type(model.classes))
    return tff.learning.algorithms.build_fed_eval(
        model.evaluate,
        metrics_aggregation_process=aggregation,
        loop_implementation=tff.learning.LoopImplementation.DATASET_ITERATOR,
    )


def _ranges() -> Any:
    """Fixed ranges, so that counts are exact and no state has to be carried from round to round."""
    largest = 2**20 - 1
    return collections.OrderedDict(
        loss_sum=(0.0, float(largest)),
        correct=(0, largest),
        num_examples=(0, largest),
        histogram=(0, largest),
    )


def _state_type(classes: int) -> Any:
    return tff.types.to_type(
        collections.OrderedDict(
            loss_sum=np.float32,
            correct=np.int32,
            num_examples=np.int32,
            histogram=tff.types.TensorType(np.int32, [classes, 2, BINS]),
        )
    )
