"""What a hospital can know about a plan before anything runs: its operations, and exactly what would leave."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from wardround.errors import RefusedError
from wardround.plan.format import SUM_KINDS, Leaf, Plan, ProcessParts, WeightSpec
from wardround.plan.operations import ALLOWED

v1 = tf.compat.v1
_NAMES_A_SHARED_RESOURCE = ("shared_name", "container")


@dataclass(frozen=True)
class Leaving:
    """One tensor of a hospital's update: `meaning` in words, `bound` is the exclusive limit of a masked integer."""

    name: str
    meaning: str
    shape: tuple[int | None, ...]
    dtype: str
    bytes: int
    bound: int | None


def check_operations(plan: Plan) -> Counter[str]:
    """Count the operations of all graphs. Raises RefusedError `forbidden-operation` naming part, node and operation."""
    found: Counter[str] = Counter()
    for part in {part.file: part for part in plan.manifest.parts()}.values():
        found += check_graph(part.file, plan.graph(part))
    return found


def check_graph(name: str, data: bytes) -> Counter[str]:
    """Check one serialized GraphDef. Raises RefusedError `malformed` or `forbidden-operation`."""
    graph = v1.GraphDef()
    try:
        graph.ParseFromString(data)
    except DecodeError as error:
        raise RefusedError(f"{name} is not a TensorFlow graph", code="malformed") from error
    functions = {function.signature.name for function in graph.library.function}
    if shadowed := sorted(functions & ALLOWED):
        raise _forbidden(
            name, shadowed[0], "is defined as a function, in place of TensorFlow's own operation"
        )
    counts: Counter[str] = Counter()
    for node in _nodes(graph):
        _check_node(name, node, functions)
        counts[node.op] += node.op not in functions
    return +counts


def leaving(plan: Plan) -> list[Leaving]:
    """Return every tensor that a hospital sends in a round, training first, then evaluation."""
    rows = list(_leaving(plan.manifest.train, plan.manifest.weights, "training"))
    if plan.manifest.evaluate:
        rows += _leaving(plan.manifest.evaluate, (), "evaluation")
    return rows


def _nodes(graph: Any) -> Iterator[Any]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _check_node(name: str, node: Any, functions: set[str]) -> None:
    if node.op not in ALLOWED and node.op not in functions:
        raise _forbidden(name, node.op, f"(node {node.name[:80]!r}) is not on the allow-list of operations")
    if any(node.attr[key].s for key in _NAMES_A_SHARED_RESOURCE if key in node.attr):
        raise _forbidden(name, node.op, "names a resource that another graph could share")
    if node.device and "cpu" not in node.device.lower() and "gpu" not in node.device.lower():
        raise _forbidden(name, node.op, f"asks for device {node.device[:40]!r}")
    if any(part in node.device for part in ("/job:", "/task:")) and "/job:localhost" not in node.device:
        raise _forbidden(name, node.op, f"asks for another machine: device {node.device[:40]!r}")


def _forbidden(part: str, operation: str, why: str) -> RefusedError:
    return RefusedError(
        f"{part}: operation {operation[:60]} {why}; the plan must not run here", code="forbidden-operation"
    )


def _leaving(parts: ProcessParts, weights: tuple[WeightSpec, ...], stage: str) -> Iterator[Leaving]:
    bounds = parts.secure.by_kind()
    for kind in SUM_KINDS:
        leaves = parts.work.results[kind] if kind != "plain" else parts.accumulate.arguments["update"]
        meanings = _meanings(leaves, weights)
        for position, leaf in enumerate(leaves):
            yield Leaving(
                name=f"{stage}/{kind}/{leaf.name}",
                meaning=meanings[position],
                shape=leaf.shape or (),
                dtype=leaf.dtype,
                bytes=_size(leaf),
                bound=bounds[kind][position] if kind != "plain" else None,
            )


def _size(leaf: Leaf) -> int:
    return math.prod(side or 0 for side in leaf.shape or ()) * np.dtype(leaf.dtype).itemsize


_WORDS = {
    "loss_sum": "sum of the loss over the examples",
    "correct": "number of examples classified correctly",
    "num_examples": "number of examples",
    "histogram": "how many examples had which score, by class",
}


def _meanings(leaves: tuple[Leaf, ...], weights: tuple[WeightSpec, ...]) -> list[str]:
    """Say what each tensor is: a known figure, or the change of a weight where shapes follow the model's order."""
    words = [next((_WORDS[key] for key in leaf.name.split("/") if key in _WORDS), "") for leaf in leaves]
    shapes = [spec.shape for spec in weights if spec.trainable]
    start = 0
    while shapes and start + len(shapes) <= len(leaves):
        window = leaves[start : start + len(shapes)]
        if [leaf.shape for leaf in window] == shapes and any(shapes):
            words[start : start + len(shapes)] = [
                f"change of weight {w.name}" for w in weights if w.trainable
            ]
            start += len(shapes)
        else:
            start += 1
    return [word or "scalar for the aggregation (weight, norm or count)" for word in words]
