"""Ordinary Keras models: every layer that makes sense for images compiles, learns, and starts again with the same bits.

Reported to other federated-learning systems as "model with Dropout does not train the same twice" and "graph-level seed"
(TFF issue 1101), "subclassed model fails", "pop from empty list" under mixed precision.
"""

import ast
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from wardround.compiler_client import compiler_process
from wardround.plan.checks import check_update
from wardround.plan.data import Examples
from wardround.plan.format import Plan, write_plan
from wardround.plan.program import Program
from wardround.plan.simulation import received
from wardround.recipe import parse_recipe

pytestmark = pytest.mark.xdist_group("keras-layers")
HERE = Path(__file__).parent
MODELS = HERE / "keras_layers.py"
PAGE = HERE.parents[1] / "docs" / "models.md"
BEGIN, END = "<!-- layers -->\n", "<!-- end of layers -->\n"
FROZEN = ("stored_statistics",)
REFUSED = {"counting": "model has non-trainable weights (spectral_normalization/vector_u:0…)"}
NOT_OF_IMAGES = frozenset(
    {
        "AbstractRNNCell",
        "CategoryEncoding",
        "DenseFeatures",
        "Discretization",
        "HashedCrossing",
        "Hashing",
        "InputLayer",
        "InputSpec",
        "IntegerLookup",
        "Layer",
        "StringLookup",
        "TextVectorization",
        "Wrapper",
    }
)


def models() -> dict[str, set[str]]:
    """Function → the layers that it uses, as the file says them."""
    tree = ast.parse(MODELS.read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"]
    return {
        function.name: {
            node.attr
            for node in ast.walk(function)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "L"
        }
        for function in functions
    }


def recipe(name: str) -> dict[str, object]:
    volume = name.startswith("volume")
    image = {"modality": ["CT" if volume else "DX"], "size": [8, 8, 8] if volume else [16, 16]}
    text = {
        "name": name.replace("_", "-"),
        "task": {"labels": ["normal", "opacity"], "image": image},
        "model": {"file": MODELS.name, "function": name}
        | ({"non_trainable": "frozen"} if name in FROZEN else {}),
        "algorithm": {"client": {"learning_rate": 0.05, "batch_size": 4}},
        "rounds": {"count": 2, "quorum": 1, "deadline": "60s", "join_deadline": "60s"},
        "evaluation": {"every": 0},
    }
    return parse_recipe(json.dumps(text)).resolved()


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All models compiled; WARDROUND_TEST_LAYERS may name a folder where that was done."""
    if ready := os.environ.get("WARDROUND_TEST_LAYERS"):
        return Path(ready)
    folder = tmp_path_factory.mktemp("layers")
    (folder / "recipes.json").write_text(json.dumps({name: recipe(name) for name in models()}))
    with compiler_process() as (python, environment):
        command = [python, HERE / "compile_layers.py", folder / "recipes.json", folder / "out"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "out"


def trained(plan: Plan) -> dict[str, bytes]:
    """What a site would send for the first round, by a program that was started for it."""
    program = Program(plan, threads=1)
    generator = np.random.default_rng(3)
    size = plan.manifest.recipe_model().task.image.size
    images = generator.uniform(0, 1, (10, *size, 1)).astype(np.float32)
    examples = Examples(images, np.arange(10, dtype=np.int32) % 2, 1.0)
    update = program.work(examples, np.arange(10), received(program.prepare(program.initialize())))
    check_update(program, ("train",), update)
    assert all(np.isfinite(value).all() for value in update.values())
    return {name: value.tobytes() for name, value in update.items()}


@pytest.mark.parametrize("name", [name for name in models() if name not in REFUSED])
def test_layers_compile_learn_and_start_again_with_the_same_bits(name: str, compiled: Path) -> None:
    error = compiled / f"{name}.error"
    assert not error.exists(), error.read_text()
    folder = compiled / name
    plan = write_plan(json.loads((folder / "draft.json").read_text()), folder)
    assert trained(plan) == trained(plan)


@pytest.mark.parametrize("name", REFUSED)
def test_a_layer_that_keeps_more_than_weights_is_refused_in_a_sentence(name: str, compiled: Path) -> None:
    assert (compiled / f"{name}.error").read_text().startswith(REFUSED[name])


def table(classes: dict[str, list[str]]) -> str:
    """The layers as the page shows them. Raises AssertionError for one that no model has."""
    by_name = {name: layer for layer, names in classes.items() for name in names}
    found = {by_name[name]: (model, name) for model, names in models().items() for name in names}
    unknown = set(classes) - set(found) - NOT_OF_IMAGES
    assert not unknown, f"no model has the layers {sorted(unknown)}"
    rows = ["| layer | compiles, learns, starts again with the same bits |", "|---|---|"]
    for layer, (model, name) in sorted(found.items(), key=lambda item: item[1][1]):
        said = "yes"
        if model in FROZEN:
            said = "yes, with `model.non_trainable: frozen`: what it stores stays as it is"
        if model in REFUSED and layer == "SpectralNormalization":
            said = "no: it moves a vector in each step, which is no weight"
        rows.append(f"| `{name}` | {said} |")
    return "\n".join(rows) + "\n"


def test_the_page_says_of_every_layer_of_keras_whether_it_may_be_used(compiled: Path) -> None:
    """Written anew by `WARDROUND_WRITE_PAGES=1 pytest tests/field/test_keras_layers.py`."""
    wanted = table(json.loads((compiled / "layers.json").read_text()))
    before, rest = PAGE.read_text("utf-8").split(BEGIN)
    now, after = rest.split(END)
    if os.environ.get("WARDROUND_WRITE_PAGES"):
        PAGE.write_text(before + BEGIN + wanted + END + after, "utf-8")
    else:
        assert now == wanted
