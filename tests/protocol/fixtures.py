"""Fixtures of every test that plays rounds: one plan and one S3 server for the session, one run for each test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from federation import Federation, World, make_world

from wardround.compiler_client import compile_recipe
from wardround.recipe import load_recipe

RECIPE = """
name: tiny
task: {labels: [normal, opacity], image: {modality: [DX], size: [8, 8]}}
model: {builtin: logistic}
algorithm: {client: {learning_rate: 0.1, batch_size: 8}}
rounds: {count: 1000, quorum: 1, deadline: 60s, join_deadline: 60s}
evaluation: {every: 1, positive: opacity}
"""


@pytest.fixture(scope="session")
def plan_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled logistic regression on 8x8 pixels; WARDROUND_TEST_PLAN may name one that is there already."""
    ready = os.environ.get("WARDROUND_TEST_PLAN")
    if ready:
        return Path(ready)
    folder = tmp_path_factory.mktemp("plan")
    (folder / "recipe.yaml").write_text(RECIPE)
    return compile_recipe(load_recipe(folder / "recipe.yaml"), folder / "plan").folder


@pytest.fixture(scope="session")
def world(plan_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with make_world(tmp_path_factory.mktemp("world"), plan_folder) as world:
        yield world


@pytest.fixture
def federation(world: World, request: pytest.FixtureRequest) -> Iterator[Federation]:
    """A run named after the test."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:50].strip("-")
    federation = Federation(world, name)
    yield federation
    federation.close()
