"""A plan for the pipelines' tests, compiled once; WARDROUND_TEST_PIPELINE_PLAN names one that is ready."""

import os
from pathlib import Path

import pytest

from wardround.compiler_client import compile_recipe
from wardround.recipe import parse_recipe

REPOSITORY = Path(__file__).parents[2]
RECIPE = """
name: tiny
task: {labels: [normal, opacity], image: {modality: [DX], size: [32, 32]}}
model: {builtin: logistic}
algorithm: {client: {learning_rate: 0.05, batch_size: 8}}
rounds: {count: 2, quorum: 2, deadline: 60s, join_deadline: 120s}
evaluation: {every: 1, positive: opacity}
"""


@pytest.fixture(scope="session")
def plan_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled logistic regression on 32x32 pixels."""
    if ready := os.environ.get("WARDROUND_TEST_PIPELINE_PLAN"):
        return Path(ready)
    own = REPOSITORY / ".venv-compiler" / "bin" / "python"
    interpreter = own if own.exists() else None
    out = tmp_path_factory.mktemp("compiled") / "plan"
    return compile_recipe(parse_recipe(RECIPE), out, interpreter=interpreter).folder
