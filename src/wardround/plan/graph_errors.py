"""How a graph is refused: part, node, and what is not legal."""

from __future__ import annotations

from wardround.errors import RefusedError
from wardround.text import foreign


def forbidden(part: str, operation: str, why: str) -> RefusedError:
    """The graph would do, or name, what no plan may."""
    return RefusedError(
        f"{foreign(part, 80)}: operation {foreign(operation, 60)} {why}; the plan must not run here",
        code="forbidden-operation",
    )


def malformed(part: str, why: str) -> RefusedError:
    """The graph is none, or not one that TensorFlow writes."""
    return RefusedError(f"{foreign(part, 80)} is not a legal TensorFlow graph: {why}", code="malformed")


def oversized(part: str, why: str) -> RefusedError:
    """The graph would cost more than any plan may."""
    return RefusedError(f"{foreign(part, 80)} is too large to be run: {why}", code="oversized")
