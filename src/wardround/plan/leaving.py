"""Exactly what would leave a hospital in each round, tensor by tensor, before anything runs.

Shape, type, bytes and bound are facts: the runtime refuses an update that differs. What a tensor of training *means*
follows from the names and the order that the manifest gives, which are its author's words unless the plan was verified.
The sums of evaluation are made by the runtime's own code, so that what they mean is a fact too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from wardround.evaluation import sums
from wardround.plan.format import SUM_KINDS, Leaf, Plan, ProcessParts, WeightSpec


@dataclass(frozen=True)
class Leaving:
    """One tensor of a hospital's update.

    `meaning`: in words, as the manifest's names suggest; `bytes`: None where the manifest leaves a side open, and the
    runtime refuses to send it; `bound`: the exclusive limit of an integer, which whoever receives it checks;
    `by_runtime`: whether the runtime makes it, and no graph of the plan.
    """

    name: str
    meaning: str
    shape: tuple[int | None, ...]
    dtype: str
    bytes: int | None
    bound: int | None
    by_runtime: bool = False


def leaving(plan: Plan) -> list[Leaving]:
    """Return every tensor that a hospital sends in a round, training first, then evaluation (once for each split)."""
    rows = list(_leaving(plan.manifest.train, plan.manifest.weights, "training"))
    if plan.manifest.predict is not None:
        rows += _leaving_sums(len(plan.manifest.recipe_model().task.labels))
    return rows


def _leaving(parts: ProcessParts, weights: tuple[WeightSpec, ...], stage: str) -> Iterator[Leaving]:
    bounds = parts.secure.by_kind()
    for kind in SUM_KINDS:
        leaves = parts.work.results[kind]
        meanings = _meanings(leaves, weights)
        for position, leaf in enumerate(leaves):
            yield Leaving(
                name=f"{stage}/{kind}/{leaf.name}",
                meaning=meanings[position],
                shape=leaf.shape,
                dtype=leaf.dtype,
                bytes=_size(leaf),
                bound=_bound(leaf, bounds.get(kind, ()), position),
            )


def _leaving_sums(classes: int) -> Iterator[Leaving]:
    for name, each in sums.spec(classes).items():
        size = math.prod(each.shape) * np.dtype(each.dtype).itemsize
        yield Leaving(
            f"evaluation/{name}", each.meaning, each.shape, each.dtype, size, each.limit, by_runtime=True
        )


def _size(leaf: Leaf) -> int | None:
    """Bytes of a tensor whose shape is fixed, as that of everything that leaves must be."""
    sides = [side for side in leaf.shape if side is not None and side >= 0]
    return math.prod(sides) * np.dtype(leaf.dtype).itemsize if len(sides) == len(leaf.shape) else None


def _bound(leaf: Leaf, bounds: tuple[int, ...], position: int) -> int | None:
    """The limit that a receiving runtime checks; floats have none, whatever a manifest says of them."""
    whole = leaf.dtype in ("int32", "int64")
    return bounds[position] if whole and position < len(bounds) and bounds[position] > 0 else None


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
