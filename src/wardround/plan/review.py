"""What a hospital can know about a plan's graphs before anything runs: their operations."""

from __future__ import annotations

from collections import Counter

from wardround.plan.format import Part, Plan
from wardround.plan.reviewed_graph import ReviewedGraph, review_graph


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
