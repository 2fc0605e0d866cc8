"""`predict`: (weights, images) → scores, the graph that evaluation and the registry use."""

import pathlib
from typing import Any

import tensorflow as tf

from wardround.compiler.model import CompiledModel
from wardround.compiler.serialize import write_graph


def write_predict(model: CompiledModel, out: pathlib.Path) -> dict[str, Any]:
    """Write the inference graph: weights as placeholders, softmax scores float32 [batch, classes]."""
    with tf.Graph().as_default() as graph:
        weights = [
            tf.compat.v1.placeholder(dtype, shape, name=f"weight_{index}")
            for index, (_, shape, dtype, _) in enumerate(model.weights)
        ]
        images = tf.compat.v1.placeholder(tf.float32, [None, *model.image_shape], name="images")
        trainable = sum(1 for *_, is_trainable in model.weights if is_trainable)
        logits = model.functional.predict_on_batch(
            (tuple(weights[:trainable]), tuple(weights[trainable:])), images, training=False
        )
        scores = tf.nn.softmax(logits, name="scores")
    return {
        **write_graph(graph.as_graph_def(), out, "predict"),
        "initialize_op": "",
        "session_token": "",
        "arguments": {"weights": [_leaf(w) for w in weights], "images": [_leaf(images)]},
        "results": {"scores": [_leaf(scores)]},
    }


def _leaf(tensor: tf.Tensor) -> dict[str, Any]:
    name = tensor.name.removesuffix(":0")
    return {
        "name": name,
        "tensor": tensor.name,
        "shape": tuple(tensor.shape.as_list()),
        "dtype": tensor.dtype.name,
        "kind": "tensor",
    }
