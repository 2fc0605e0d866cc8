"""The plan's inference graph with one model's weights in it, as a TensorFlow module that can be saved."""

from dataclasses import dataclass

import tensorflow as tf

from wardround.plan.reviewed_graph import ReviewedGraph
from wardround.registry.errors import RegistryError
from wardround.registry.records import Weights

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class WeightSlot:
    """A weight's name in the plan, and the placeholder that takes it."""

    name: str
    tensor: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class PredictGraph:
    """A plan's `predict`: (weights, images float32 [N, …, 1]) → scores float32 [N, C]."""

    graph: ReviewedGraph
    weights: tuple[WeightSlot, ...]
    images: str
    image_shape: tuple[int, ...]
    scores: str
    classes: int


class Predictor(tf.Module):  # type: ignore[misc]
    """`predictor(images)` gives scores. Traced once; `assign` makes it the next round's model."""

    def __init__(self, graph: PredictGraph) -> None:
        super().__init__()
        self.weights = [
            tf.Variable(tf.zeros(slot.shape, slot.dtype), name="weight") for slot in graph.weights
        ]
        self._slots = graph.weights
        self._scores = _pruned(graph)
        images = tf.TensorSpec([None, *graph.image_shape], tf.float32, name="images")
        self.__call__.get_concrete_function(images)

    @tf.function  # type: ignore[untyped-decorator]
    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Images float32 [N, …, 1] → scores float32 [N, C], rows summing to 1."""
        return self._scores(*(weight.read_value() for weight in self.weights), images)

    def assign(self, weights: Weights) -> None:
        """Take other weights.

        Raises:
            RegistryError: a weight is missing, unknown or of another shape.
        """
        if set(weights) != (expected := {slot.name for slot in self._slots}):
            odd = sorted(set(weights) ^ expected)
            raise RegistryError(
                f"weights {odd} are missing or unknown; log a round of the plan that was opened"
            )
        for slot, variable in zip(self._slots, self.weights, strict=True):
            if weights[slot.name].shape != slot.shape:
                raise RegistryError(
                    f"weight {slot.name} has shape {weights[slot.name].shape}, the plan says {slot.shape}; "
                    "log a round of the plan that was opened"
                )
            variable.assign(weights[slot.name])


def _pruned(graph: PredictGraph) -> tf.types.experimental.ConcreteFunction:
    """The graph as a function of its weights, in order, and the images."""
    definition = graph.graph.graph_def()
    whole = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(definition, name=""), [])
    feeds = [
        whole.graph.as_graph_element(name)
        for name in (*(slot.tensor for slot in graph.weights), graph.images)
    ]
    return whole.prune(feeds, whole.graph.as_graph_element(graph.scores))
