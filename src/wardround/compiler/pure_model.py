"""A Keras model as a pure function of its weights and a batch, which is the form in which TFF's processes take it.

TFF's own conversion (`functional_model_from_keras`) builds the model anew in every graph in which it is traced, in the
manner of TensorFlow 1. That is slow for large models, and refuses ordinary ones: subclassed, with random layers, or with
TensorFlow's functions between Keras's layers. Here the model is built once, as everybody builds it, and called with
tensors in place of its variables.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any, NoReturn
from unittest import mock

import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph
from tensorflow.python.framework.ops import EagerTensor
from tensorflow.python.ops import embedding_ops, gen_image_ops
from tensorflow.python.ops.resource_variable_ops import BaseResourceVariable

from wardround.compiler.failure import CompilerFailure
from wardround.compiler.randomness import Draws, drawn_from, seed_of

_READS = ("value", "read_value", "read_value_no_copy")
_WRITES = ("assign", "assign_add", "assign_sub")


class PureModel:
    """`model(weights, images, training)`, with weights in the order of `variables`: trainable ones first."""

    def __init__(self, model: Any, variables: Sequence[Any], seed: int) -> None:
        self._model = model
        self._variables = tuple(variables)
        self._seed = seed

    def __call__(self, weights: Sequence[Any], images: Any, training: bool) -> Any:
        """The model's result for a batch. Raises CompilerFailure where a layer keeps anything but weights."""
        draws = Draws(lambda: seed_of(self._seed, images, weights))
        values = {id(_inner(each)): value for each, value in zip(self._variables, weights, strict=True)}
        with drawn_from(draws), _replaced(values), _with_gradients(), _with_constants():
            return self._model(images, training=training)


@contextmanager
def _with_gradients() -> Iterator[None]:
    """TensorFlow has no gradient for one operation of Keras's augmentation: it is written out."""

    def adjust_contrast(images: Any, contrast_factor: Any, **_: Any) -> Any:
        mean = tf.reduce_mean(images, axis=[-3, -2], keepdims=True)
        return (images - mean) * tf.cast(contrast_factor, images.dtype) + mean

    with mock.patch.object(gen_image_ops, "adjust_contrastv2", adjust_contrast):
        yield


@contextmanager
def _with_constants() -> Iterator[None]:
    """A tensor that a layer made when it was built, such as a mean to subtract, is a constant of the graph."""
    original = FuncGraph.capture

    def capture(self: Any, tensor: Any, *arguments: Any, **names: Any) -> Any:
        if isinstance(tensor, EagerTensor) and tensor.dtype.is_numpy_compatible:
            with self.as_default():
                return tf.constant(tensor.numpy())
        return original(self, tensor, *arguments, **names)

    with mock.patch.object(FuncGraph, "capture", capture):
        yield


def _inner(variable: Any) -> Any:
    """The variable itself where mixed precision wraps it."""
    return getattr(variable, "_variable", variable)


@contextmanager
def _replaced(values: Mapping[int, Any]) -> Iterator[None]:
    """Every variable that is read in here is the tensor that `values` has for its `id`."""

    def read(self: Any, *_: Any, **__: Any) -> Any:
        if id(self) not in values:
            raise CompilerFailure(
                f"the model reads the variable {self.name!r}, which is none of its weights: {_ADVICE}"
            )
        return tf.identity(values[id(self)])

    def write(self: Any, *_: Any, **__: Any) -> NoReturn:
        raise CompilerFailure(
            f"a layer changes its variable {self.name!r} while the model is called: {_ADVICE}"
        )

    methods = dict.fromkeys(_READS, read) | dict.fromkeys(_WRITES, write)
    methods["sparse_read"] = lambda self, indices, name=None: tf.gather(read(self), indices)
    methods["gather_nd"] = lambda self, indices, name=None: tf.gather_nd(read(self), indices)
    with ExitStack() as stack:
        for name, method in methods.items():
            stack.enter_context(mock.patch.object(BaseResourceVariable, name, method))
        # Whatever else would use a variable finds that it has no place in memory.
        stack.enter_context(mock.patch.object(BaseResourceVariable, "handle", property(write)))
        stack.enter_context(mock.patch.object(embedding_ops, "_colocate_with", lambda _: nullcontext()))
        yield


_ADVICE = (
    "a plan has weights that are learned or frozen, and no other state. Use group normalisation in place of batch "
    "normalisation (or say model.non_trainable: frozen), and no layer that keeps statistics or counters"
)
