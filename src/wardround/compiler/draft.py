"""All of a plan's content: graphs on disk, and everything else as one JSON object."""

import importlib.metadata
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

from wardround.compiler.failure import CompilerFailure
from wardround.compiler.forms import write_process
from wardround.compiler.inference import write_predict
from wardround.compiler.model import CompiledModel, build_model
from wardround.compiler.process import build_process
from wardround.compiler.roles import update_roles
from wardround.compiler.serialize import elements, write_part


def compile_draft(
    recipe: Mapping[str, Any], folder: pathlib.Path, out: pathlib.Path, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Compile a resolved recipe; user files are looked up in `folder`. Raises CompilerFailure."""
    progress("building the model")
    model = build_model(recipe, folder) if recipe["model"] else None
    progress("building the learning process")
    process = build_process(recipe, model, folder)
    progress("compiling the training graphs")
    weights = process.get_model_weights
    draft = {
        "format": 2,
        "recipe": dict(recipe),
        "versions": _versions(),
        "element": _element(process),
        "train": write_process(process, out),
        "weights_part": write_part(weights, out, "weights", ("state",), ("weights",)),
        "weights": _weight_table(weights, model),
        "layers": [list(layer) for layer in model.layers] if model else [],
        "predict": None,
    }
    shapes = [weight["shape"] for weight in draft["weights"] if weight["trainable"]]
    draft["train"]["update_roles"] = update_roles(recipe, draft["train"], shapes)
    if model:
        progress("compiling prediction")
        draft["predict"] = write_predict(model, out)
    return draft


def _versions() -> dict[str, str]:
    names = ("tensorflow_cpu", "tensorflow_federated")
    return {name: importlib.metadata.version(name) for name in names}


def _element(process: Any) -> list[dict[str, Any]]:
    """The spec of one batch, from the process's own type."""
    batch = process.next.type_signature.parameter[1].member.element
    if not isinstance(batch, tff.StructType) or [name for name, _ in elements(batch)] != ["x", "y"]:
        raise CompilerFailure(
            f"the process takes batches of {batch}; legal is a mapping of x (images) and y (labels)"
        )
    return [
        {"name": name, "shape": [*inner.shape], "dtype": tf.as_dtype(inner.dtype).name}
        for name, inner in elements(batch)
    ]


def _weight_table(weights: Any, model: CompiledModel | None) -> list[dict[str, Any]]:
    """Name, shape, dtype and trainability of every weight, in the order of the `weights` part's result."""
    result = weights.type_signature.result
    table: list[dict[str, Any]] = []
    for group, inner in zip(("trainable", "non_trainable"), (t for _, t in elements(result)), strict=True):
        for index, (_, tensor) in enumerate(elements(inner)):
            table.append(
                {
                    "name": f"{group}/{index}",
                    "shape": list(tensor.shape),
                    "dtype": tf.as_dtype(tensor.dtype).name,
                    "trainable": group == "trainable",
                }
            )
    return _with_model_names(table, model) if model else table


def _with_model_names(table: list[dict[str, Any]], model: CompiledModel) -> list[dict[str, Any]]:
    ours = [(tuple(entry["shape"]), entry["dtype"], entry["trainable"]) for entry in table]
    theirs = [(shape, dtype, trainable) for _, shape, dtype, trainable in model.weights]
    if ours != theirs:
        raise CompilerFailure("the process learns other weights than the recipe's model has: shapes differ")
    return [{**entry, "name": name} for entry, (name, *_) in zip(table, model.weights, strict=True)]
