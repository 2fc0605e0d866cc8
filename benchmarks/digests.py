"""Digests of the built-in recipes: compiled in two separately made environments, they must be equal.

    python -m benchmarks.digests OTHER_PYTHON [--only TEXT]

OTHER_PYTHON is the interpreter of a second compiler environment: made with WARDROUND_COMPILER_HOME elsewhere, or a
script that starts one with fewer CPU features. The first is this machine's own. Prints a line a recipe; exits with 1
where digests differ.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wardround.compiler_client import compile_recipe
from wardround.recipe import Recipe

SIZES = {"logistic": (8, 8), "cnn-small": (16, 16), "cnn3d-gn": (8, 16, 16), "resnet18-gn": (32, 32)}
ALGORITHMS = ("fedavg", "fedprox", "fedsgd", "mimelite")
ROBUST = {"clip": "adaptive", "zero": True}
AGGREGATIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "secure": {"secure": True},
    "robust": {"robust": ROBUST},
    "compressed": {"compressed": True},
    "secure robust": {"secure": True, "robust": ROBUST},
}


def recipes() -> Iterator[tuple[str, Recipe]]:
    """Every model with every algorithm, and the smallest model with every aggregation too."""
    for model in SIZES:
        for algorithm in ALGORITHMS:
            for name, aggregation in AGGREGATIONS.items():
                if name == "plain" or model == "logistic":
                    yield f"{model} {algorithm} {name}", recipe(model, algorithm, aggregation)


def recipe(model: str, algorithm: str, aggregation: dict[str, Any]) -> Recipe:
    """A recipe with tiny images."""
    strength = {"proximal_strength": 0.1} if algorithm == "fedprox" else {}
    return Recipe.model_validate(
        {
            "name": "digests",
            "task": {"labels": ["a", "b"], "image": {"size": SIZES[model]}},
            "model": {"builtin": model},
            "algorithm": {"name": algorithm, **strength},
            "aggregation": aggregation,
        }
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    wrong = 0
    for name, content in recipes():
        if given.only in name:
            started = time.monotonic()
            here, there = _digest(content, None), _digest(content, given.other)
            wrong += here != there
            words = "equal" if here == there else f"NOT EQUAL, there {there}"
            print(f"{name}: {here} {words} ({time.monotonic() - started:.0f} s)", flush=True)
    return 1 if wrong else 0


def _digest(content: Recipe, python: Path | None) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return compile_recipe(content, Path(folder) / "plan", interpreter=python).digest


if __name__ == "__main__":
    sys.exit(main())
