"""What a hospital can know about a plan before anything runs: its operations, and exactly what would leave."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from wardround.evaluation import sums
from wardround.plan.format import SUM_KINDS, Leaf, Part, Plan, ProcessParts, WeightSpec
from wardround.plan.reviewed_graph import ReviewedGraph, review_graph


@dataclass(frozen=True)
class Leaving:
    """One tensor of a hospital's update: `meaning` in words, `bound` is the exclusive limit of a bounded integer."""

    name: str
    meaning: str
    shape: tuple[int | None, ...]
    dtype: str
    bytes: int
    bound: int | None


def check_operations(plan: Plan) -> Counter[str]:
    """Count the operations of all graphs, after the review that each must pass.

    Raises RefusedError: `forbidden-operation`, `malformed` or `oversized`, naming part, node and operation.
    """
    found: Counter[str] = Counter()
    for part in {part.file: part for part in plan.manifest.parts()}.values():
        found.update(reviewed(plan, part).operations)
    return found


def reviewed(plan: Plan, part: Part) -> ReviewedGraph:
    """A part's graph in the form in which it may run. Raises RefusedError, as `check_operations` does."""
    return review_graph(part.file, plan.graph(part), _ends(part))


def _ends(part: Part) -> list[str]:
    """The nodes that whoever runs the part feeds, fetches or runs."""
    groups = (*part.arguments.values(), *part.results.values())
    tensors = [leaf.tensor for leaves in groups for leaf in leaves] + [part.session_token, part.initialize_op]
    return sorted({name.partition(":")[0].removeprefix("^") for name in tensors if name})


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
                bound=bounds[kind][position] if kind != "plain" else None,
            )


def _leaving_sums(classes: int) -> Iterator[Leaving]:
    """What the runtime's own code makes of the scores, whatever the plan's graphs do."""
    for name, each in sums.spec(classes).items():
        size = math.prod(each.shape) * np.dtype(each.dtype).itemsize
        yield Leaving(f"evaluation/{name}", each.meaning, each.shape, each.dtype, size, each.limit)


def _size(leaf: Leaf) -> int:
    return math.prod(side or 0 for side in leaf.shape) * np.dtype(leaf.dtype).itemsize


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
