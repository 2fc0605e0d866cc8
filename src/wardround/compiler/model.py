"""The recipe's model as TFF functional models, and its weights by name."""

import collections
import contextlib
import functools
import importlib.util
import pathlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

from wardround.compiler.failure import CompilerFailure
from wardround.compiler.metrics import training_metrics
from wardround.models import BUILTIN


@dataclass(frozen=True)
class CompiledModel:
    """`functional`: TFF's functional model, which learns and, in `predict`, scores.

    `weights`: (name, shape, dtype, trainable) in TFF's order, trainable ones first.
    """

    functional: Any
    weights: tuple[tuple[str, tuple[int, ...], str, bool], ...]
    layers: tuple[tuple[str, str, int], ...]
    classes: int
    image_shape: tuple[int, ...]


def element_spec(recipe: Mapping[str, Any]) -> "collections.OrderedDict[str, tf.TensorSpec]":
    """Return the spec of one batch: x float32 [batch, *size, 1] in [0, 1], y int32 [batch]."""
    shape = [None, *recipe["task"]["image"]["size"], 1]
    return collections.OrderedDict(x=tf.TensorSpec(shape, tf.float32), y=tf.TensorSpec([None], tf.int32))


def build_model(recipe: Mapping[str, Any], folder: pathlib.Path) -> CompiledModel:
    """Build the recipe's model; user files are looked up in `folder`. Raises CompilerFailure."""
    classes = len(recipe["task"]["labels"])
    shape = (*recipe["task"]["image"]["size"], 1)
    builder = _builder(recipe["model"], folder, shape, classes)
    seed, frozen = recipe["seed"], recipe["model"]["non_trainable"] == "frozen"

    def keras_model() -> tf.keras.Model:
        tf.keras.utils.set_random_seed(seed)
        if not frozen:
            return builder()
        with _stored_statistics():
            return _keep_statistics(builder())

    tf.keras.backend.clear_session()  # so that layers are numbered from the start
    created: list[tf.Variable] = []

    def record(create: Any, **kwargs: Any) -> tf.Variable:
        created.append(create(**kwargs))
        return created[-1]

    with tf.variable_creator_scope(record):
        probe = keras_model()
    _check(probe, recipe["model"], shape, classes)
    return CompiledModel(
        functional=_with_metrics(_functional(keras_model, recipe), training_metrics()),
        weights=_weights(probe, created),
        layers=tuple((x.name, type(x).__name__, x.count_params()) for x in probe.layers),
        classes=classes,
        image_shape=shape,
    )


def load_function(path: pathlib.Path, name: str) -> Callable[..., Any]:
    """Return the function `name` of the Python file at `path`. Raises CompilerFailure."""
    if not path.is_file():
        raise CompilerFailure(f"{path}: no such file (paths are relative to the recipe)")
    spec = importlib.util.spec_from_file_location(f"user_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        raise CompilerFailure(f"{path.name}: has no function {name!r}")
    return function


def _builder(
    settings: Mapping[str, Any], folder: pathlib.Path, shape: tuple[int, ...], classes: int
) -> Callable[[], tf.keras.Model]:
    if settings["builtin"]:
        return lambda: BUILTIN[settings["builtin"]](shape, classes)
    return load_function(folder / settings["file"], settings["function"])


@contextlib.contextmanager
def _stored_statistics() -> Iterator[None]:
    """Let batch normalisation made in here read its statistics also in training, where it would write them.

    The class is changed, not the layers: a Keras model calls its layers while it is being built.
    """
    layer = tf.keras.layers.BatchNormalization
    original = layer.call

    def call(self: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        return original(self, inputs, training=False)

    layer.call = call
    try:
        yield
    finally:
        layer.call = original


def _keep_statistics(model: Any) -> Any:
    """The same for the layers of a finished model, which are called again where it is traced."""
    for layer in getattr(model, "layers", ()):
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.call = functools.partial(type(layer).call, layer)  # the class's changed method
        _keep_statistics(layer)
    return model


def _check(model: Any, settings: Mapping[str, Any], shape: tuple[int, ...], classes: int) -> None:
    if not isinstance(model, tf.keras.Model):
        raise CompilerFailure(f"model function returned {type(model).__name__}, legal is a tf.keras.Model")
    if model.input_shape != (None, *shape):
        raise CompilerFailure(f"model takes {model.input_shape}, the task's images are {(None, *shape)}")
    if model.output_shape != (None, classes):
        raise CompilerFailure(
            f"model returns {model.output_shape}, legal is {(None, classes)}: logits, one a label"
        )
    if model.non_trainable_weights and settings["non_trainable"] != "frozen":
        names = ", ".join(w.name for w in model.non_trainable_weights[:3])
        raise CompilerFailure(
            f"model has non-trainable weights ({names}…), which federated averaging leaves at their initial "
            "values. Use group normalisation, or say model.non_trainable: frozen"
        )


def _functional(keras_model: Callable[[], tf.keras.Model], recipe: Mapping[str, Any]) -> Any:
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return tff.learning.models.functional_model_from_keras(keras_model, loss, element_spec(recipe))


def _with_metrics(base: Any, metrics: tuple[Any, Any, Any]) -> Any:
    return tff.learning.models.FunctionalModel(
        initial_weights=base.initial_weights,
        predict_on_batch_fn=base._predict_on_batch_fn,  # TFF has no public way to add metrics to a model
        loss_fn=base._loss_fn,
        metrics_fns=metrics,
        input_spec=base.input_spec,
    )


def _weights(
    model: tf.keras.Model, created: list[tf.Variable]
) -> tuple[tuple[str, tuple[int, ...], str, bool], ...]:
    """In TFF's order: as they were created, which is not always Keras's order of layers."""
    trainable = {v.ref() for v in model.trainable_variables}
    frozen = {v.ref() for v in model.non_trainable_variables}
    ordered = [(v, True) for v in created if v.ref() in trainable]
    ordered += [(v, False) for v in created if v.ref() in frozen]
    return tuple(
        (v.name.removesuffix(":0"), tuple(v.shape.as_list()), v.dtype.base_dtype.name, is_trainable)
        for v, is_trainable in ordered
    )
