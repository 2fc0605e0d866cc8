"""Job F: the fixed job on which systems for federated learning are compared (four sites, 28 x 28 images)."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np

from wardround.compiler_client import compile_recipe
from wardround.plan.data import Examples
from wardround.plan.format import Plan
from wardround.recipe import Recipe

DEFINITION = Path(__file__).resolve().parents[2] / "shared" / "bench" / "job_f.py"
SITES = ("site-0", "site-1", "site-2", "site-3")


def definition() -> ModuleType:
    """Load the job's definition, which lies beside the project and is not part of it."""
    if not DEFINITION.is_file():
        sys.exit(f"job F is not here: {DEFINITION} is missing; this benchmark needs it")
    spec = importlib.util.spec_from_file_location("job_f", DEFINITION)
    if spec is None or spec.loader is None:
        sys.exit(f"{DEFINITION} can't be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recipe(rounds: int) -> Recipe:
    """The job as a recipe."""
    return Recipe.model_validate(
        {
            "name": "job-f",
            "task": {"labels": ["plain", "blobs"], "image": {"size": [28, 28]}},
            "model": {"file": "job_f_model.py", "function": "build"},
            "algorithm": {"client": {"optimizer": "adam", "learning_rate": 0.002, "batch_size": 32}},
            "rounds": {"count": rounds, "quorum": 4, "deadline": 120, "join_deadline": 120},
            "evaluation": {"every": 0},
        }
    )


def compile_plan(folder: Path, rounds: int) -> Plan:
    """Compile the job into `folder`."""
    return compile_recipe(recipe(rounds), folder, folder=Path(__file__).parent, progress=say)


def sites(data: dict[str, np.ndarray]) -> dict[str, Examples]:
    """The training images of each site, as float32 in [0, 1]."""
    return {
        name: Examples(data[f"x{i}"], data[f"y{i}"].astype(np.int32), 1.0) for i, name in enumerate(SITES)
    }


def say(text: str) -> None:
    """Tell the person what goes on, beside the result."""
    print(text, file=sys.stderr, flush=True)
