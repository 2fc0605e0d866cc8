"""A plan for the pipelines' tests, compiled once by the compile pipeline itself."""

import os
import sys
from pathlib import Path

import pytest

from wardround.local.kfp_runner import run_pipeline

REPOSITORY = Path(__file__).parents[2]
# `pipelines` and `components` are no part of the package: images don't have them.
sys.path.insert(0, str(REPOSITORY))
RECIPE = """
name: tiny
task: {labels: [normal, opacity], image: {modality: [DX], size: [32, 32]}}
model: {builtin: logistic}
algorithm: {client: {learning_rate: 0.005, batch_size: 8}}
rounds: {count: 2, quorum: 2, deadline: 10m, join_deadline: 20m}
evaluation: {every: 1, positive: opacity}
"""


@pytest.fixture(scope="session")
def plan_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled logistic regression on 32x32 pixels; WARDROUND_TEST_PIPELINE_PLAN names one that is ready."""
    if ready := os.environ.get("WARDROUND_TEST_PIPELINE_PLAN"):
        return Path(ready)
    folder = tmp_path_factory.mktemp("compiled")
    arguments = {"recipe_yaml": RECIPE, "plan_folder": str(folder / "plan"), "settings_file": ""}
    with pytest.MonkeyPatch.context() as environment:
        if (own := REPOSITORY / ".venv-compiler" / "bin" / "python").exists():
            environment.setenv("WARDROUND_COMPILER_PYTHON", str(own))
        run_pipeline(REPOSITORY / "pipelines" / "compiled" / "compile.yaml", arguments, folder / "run")
    return folder / "plan"
