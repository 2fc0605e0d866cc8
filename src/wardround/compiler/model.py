"""The recipe's model as TFF functional models, and its weights by name."""

import collections
import importlib.util
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

from wardround.compiler.failure import CompilerFailure
from wardround.compiler.metrics import training_metrics
from wardround.compiler.pure_model import PureModel
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
    tf.keras.backend.clear_session()  # so that layers are numbered from the start
    tf.keras.utils.set_random_seed(recipe["seed"])  # of the start weights
    model = _built(builder(), shape, classes)
    _use_plain_loops(model)
    if recipe["model"]["non_trainable"] == "frozen":
        _keep_statistics(model)
    elif model.non_trainable_weights:
        raise CompilerFailure(_has_statistics(model.non_trainable_weights))
    return CompiledModel(
        functional=_functional(model, recipe),
        weights=_weights(model),
        layers=tuple((x.name, type(x).__name__, x.count_params()) for x in model.layers),
        classes=classes,
        image_shape=shape,
    )


def load_function(path: pathlib.Path, name: str) -> Callable[..., Any]:
    """Return the function `name` of the Python file at `path`. Raises CompilerFailure."""
    if not path.is_file():
        raise CompilerFailure(f"{path}: no such file (paths are relative to the recipe)")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # for what it imports from beside it; what is installed comes first
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


def _use_plain_loops(model: Any) -> None:
    """Keras's LSTM and GRU as loops: their other form leaves it to the machine which of two kernels runs."""
    for layer in model.submodules:
        if getattr(layer, "_could_use_gpu_kernel", False):
            layer._could_use_gpu_kernel = False


def _keep_statistics(model: Any) -> None:
    """Let batch normalisation read its statistics also in training, where it would write them."""

    def reading(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda inputs, training=None, mask=None: original(inputs, training=False)

    for layer in model.submodules:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.call = reading(layer.call)


def _built(model: Any, shape: tuple[int, ...], classes: int) -> Any:
    """The model with its weights made, which one without an Input does when it is first called."""
    if not isinstance(model, tf.keras.Model):
        raise CompilerFailure(f"model function returned {type(model).__name__}, legal is a tf.keras.Model")
    takes, returns = _shapes(model, shape)
    if takes != (None, *shape):
        raise CompilerFailure(f"model takes {takes}, the task's images are {(None, *shape)}")
    if returns != (None, classes):
        raise CompilerFailure(f"model returns {returns}, legal is {(None, classes)}: logits, one a label")
    return model


def _shapes(model: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """What the model takes and returns. One that has no Input makes its weights when it is called with an image."""
    if model.inputs:
        return model.input_shape, model.output_shape
    returned = model(tf.zeros((1, *shape)), training=False)
    found = (None, *returned.shape[1:]) if tf.is_tensor(returned) else type(returned).__name__
    return (None, *shape), found


def _has_statistics(weights: Sequence[Any]) -> str:
    names = ", ".join(weight.name for weight in weights[:3])
    return (
        f"model has non-trainable weights ({names}…), which federated averaging leaves at their initial "
        "values. Use group normalisation, or say model.non_trainable: frozen"
    )


def _functional(model: Any, recipe: Mapping[str, Any]) -> Any:
    """Its weights are a pair: trainable ones, and the others."""
    pure = PureModel(model, _variables(model), recipe["seed"])
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def predict_on_batch(model_weights: Any, x: Any, training: bool = True) -> Any:
        trainable, others = model_weights
        return pure((*trainable, *others), x, training)

    return tff.learning.models.FunctionalModel(
        initial_weights=(_values(model.trainable_variables), _values(model.non_trainable_variables)),
        predict_on_batch_fn=predict_on_batch,
        loss_fn=lambda output, label, sample_weight=None: loss(label, output),
        metrics_fns=training_metrics(),
        input_spec=element_spec(recipe),
    )


def _variables(model: Any) -> list[Any]:
    return [*model.trainable_variables, *model.non_trainable_variables]


def _values(variables: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(variable.numpy() for variable in variables)


def _weights(model: Any) -> tuple[tuple[str, tuple[int, ...], str, bool], ...]:
    count = len(model.trainable_variables)
    return tuple(
        (v.name.removesuffix(":0"), tuple(v.shape.as_list()), v.dtype.base_dtype.name, place < count)
        for place, v in enumerate(_variables(model))
    )
