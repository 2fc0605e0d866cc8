"""A plan on disk and in a process: verified, deterministic, and usable without a federation."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from wardround.compiler_client import CompileError, compile_recipe
from wardround.errors import ConfigurationError, RefusedError
from wardround.plan.checks import check_update
from wardround.plan.data import Examples
from wardround.plan.format import load_plan
from wardround.plan.leaving import leaving
from wardround.plan.program import Program
from wardround.plan.review import check_operations
from wardround.plan.simulation import load_sites, received, simulate
from wardround.recipe import Recipe

TINY = {
    "name": "tiny",
    "task": {"labels": ["a", "b"], "image": {"size": [8, 8]}},
    "model": {"builtin": "logistic"},
    "algorithm": {"client": {"learning_rate": 0.1}},
}


@pytest.fixture(scope="module")
def plan_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plan") / "tiny"
    compile_recipe(Recipe.model_validate(TINY), folder)
    return folder


@pytest.fixture
def copy(plan_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(plan_folder, tmp_path / "copy"))


def _refused(folder: Path) -> str:
    with pytest.raises(RefusedError) as caught:
        load_plan(folder)
    return caught.value.code


def test_labels_names_and_modalities_never_reach_a_graph(plan_folder: Path, tmp_path: Path) -> None:
    words = {
        "name": "another-name",
        "task": {"labels": ["zwei Wörter", "x" * 60], "image": {"size": [8, 8], "modality": ["MG", "XA"]}},
        "evaluation": {"positive": "zwei Wörter"},
    }
    again = compile_recipe(Recipe.model_validate(TINY | words), tmp_path / "again")
    ours = load_plan(plan_folder)
    assert again.digest != ours.digest
    assert again.files == ours.files
    assert sorted(p.name for p in (tmp_path / "again").iterdir()) == ["graphs", "plan.json"]


def test_a_plan_with_an_altered_graph_is_refused(copy: Path) -> None:
    graph = copy / "graphs" / "work.pb"
    data = bytearray(graph.read_bytes())
    data[len(data) // 2] ^= 1
    graph.write_bytes(bytes(data))
    assert _refused(copy) == "wrong-digest"


def test_a_plan_with_a_missing_graph_is_refused(copy: Path) -> None:
    (copy / "graphs" / "update.pb").unlink()
    assert _refused(copy) == "missing"


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(extra=1),
        lambda manifest: manifest["train"]["work"].update(file="../../etc/passwd"),
        lambda manifest: manifest["recipe"].update(seed=-1),
        lambda manifest: manifest.pop("weights"),
    ],
)
def test_a_malformed_manifest_is_refused(copy: Path, change: object) -> None:
    manifest = json.loads((copy / "plan.json").read_text())
    change(manifest)  # type: ignore[operator]
    (copy / "plan.json").write_text(json.dumps(manifest, sort_keys=True, separators=(",", ":")))
    assert _refused(copy) == "malformed"


def test_a_plan_asked_for_by_another_digest_is_refused(plan_folder: Path) -> None:
    with pytest.raises(RefusedError) as caught:
        load_plan(plan_folder, expected="0" * 64)
    assert caught.value.code == "wrong-digest"


def test_the_compiler_uses_allowed_operations_only_and_says_what_leaves(plan_folder: Path) -> None:
    plan = load_plan(plan_folder)
    assert check_operations(plan)["MatMul"] > 0
    names = {row.meaning for row in leaving(plan)}
    assert {"change of weight dense/kernel", "number of examples"} <= names


def test_a_simulation_on_arrays_learns(plan_folder: Path, tmp_path: Path) -> None:
    program = Program(load_plan(plan_folder))
    rounds = list(simulate(program, load_sites(_arrays(tmp_path), program), 5))
    assert rounds[-1].measurements["loss"] < rounds[0].measurements["loss"] * 0.8
    assert rounds[-1].measurements["num_examples"] == 60


def test_arrays_of_another_shape_are_a_clear_error(plan_folder: Path, tmp_path: Path) -> None:
    program = Program(load_plan(plan_folder))
    np.savez(tmp_path / "bad.npz", x0=np.zeros((3, 9, 9, 1), np.float32), y0=np.zeros(3))
    with pytest.raises(ConfigurationError, match=r"legal are \[N, 8, 8, 1\]"):
        load_sites(tmp_path / "bad.npz", program)
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(ConfigurationError, match="not an NPZ"):
        load_sites(tmp_path / "text.npz", program)


@pytest.mark.parametrize(
    ("poison", "code"), [(np.nan, "not-finite"), (np.inf, "not-finite"), (1e9, "norm-bound")]
)
def test_an_update_with_illegal_values_is_refused(
    plan_folder: Path, tmp_path: Path, poison: float, code: str
) -> None:
    program = Program(load_plan(plan_folder))
    examples = load_sites(_arrays(tmp_path), program)["0"]
    update = program.work(examples, np.arange(20), received(program.prepare(program.initialize())))
    check_update(program, ("train",), update)
    name = next(name for name, spec in program.update_spec(("train",)).items() if spec.shape == (64, 2))
    update[name] = np.full((64, 2), poison, np.float32)
    with pytest.raises(RefusedError) as caught:
        check_update(program, ("train",), update)
    assert caught.value.code == code


def test_equal_tensors_are_broadcast_once(plan_folder: Path) -> None:
    program = Program(load_plan(plan_folder))
    broadcast = program.prepare(program.initialize())
    sent = [name for name, value in broadcast.tensors.items() if value.shape == (64, 2)]
    assert len(sent) == 1 and sent[0] in broadcast.aliases.values()


def test_predict_gives_probabilities(plan_folder: Path) -> None:
    program = Program(load_plan(plan_folder))
    scores = program.predict(program.weights(program.initialize()), np.ones((5, 8, 8, 1), np.float32))
    assert scores.shape == (5, 2)
    assert np.allclose(scores.sum(axis=1), 1)


def test_a_model_with_statistics_that_nobody_aggregates_is_refused_unless_frozen(tmp_path: Path) -> None:
    model = {"file": "tiny_models.py", "function": "normalized"}
    here = Path(__file__).parent
    with pytest.raises(CompileError, match=r"group normalisation, or say model.non_trainable: frozen"):
        compile_recipe(Recipe.model_validate({**TINY, "model": model}), tmp_path / "plan", folder=here)
    assert not (tmp_path / "plan").exists()
    frozen = Recipe.model_validate({**TINY, "model": {**model, "non_trainable": "frozen"}})
    plan = compile_recipe(frozen, tmp_path / "plan", folder=here)
    assert [weight.trainable for weight in plan.manifest.weights].count(False) == 2
    program = Program(plan)
    rounds = list(simulate(program, load_sites(_arrays(tmp_path), program), 2))
    assert rounds[-1].number == 2
    names = [name for name in program.broadcast_spec if name.startswith("model/")]
    assert names == [f"model/{weight.name}" for weight in plan.manifest.weights]


def test_a_model_with_a_name_that_hospitals_would_refuse_does_not_compile(tmp_path: Path) -> None:
    recipe = Recipe.model_validate({**TINY, "model": {"file": "tiny_models.py", "function": "oddly_named"}})
    with pytest.raises(
        CompileError, match=r"the name 'Flach\\u\{202e\}ab' is not legal: letters, digits"
    ) as caught:
        compile_recipe(recipe, tmp_path / "plan", folder=Path(__file__).parent)
    assert str(caught.value).isprintable() and not (tmp_path / "plan").exists()


@pytest.mark.parametrize(
    ("builtin", "size"),
    [
        ("cnn-small", [32, 32]),
        ("resnet18-gn", [32, 32]),
        ("cnn3d-gn", [8, 16, 16]),
        ("logistic", [8, 64, 64]),
    ],
)
def test_every_built_in_model_compiles_trains_and_passes_the_review(
    builtin: str, size: list[int], tmp_path: Path
) -> None:
    recipe = {
        **TINY,
        "task": {"labels": ["a", "b", "c"], "image": {"size": size}},
        "model": {"builtin": builtin},
    }
    plan = compile_recipe(Recipe.model_validate(recipe), tmp_path / "plan")
    check_operations(plan)
    program = Program(plan)
    images = np.random.default_rng(1).integers(0, 255, (8, *size, 1), dtype=np.uint8)
    np.savez(tmp_path / "data.npz", x0=images, y0=np.arange(8) % 3)
    (done,) = simulate(program, load_sites(tmp_path / "data.npz", program), 1)
    assert np.isfinite(done.measurements["loss"])
    assert program.predict(program.weights(done.state), images.astype(np.float32) / 255).shape == (8, 3)
    broadcast = received(program.prepare(done.state))
    found = program.evaluate(Examples(images, np.arange(8) % 3, 1 / 255), "validation", broadcast)
    assert int(found["evaluate.validation/num_examples"]) == 8
    assert int(found["evaluate.validation/undefined"]) == 0


def _arrays(folder: Path) -> Path:
    generator, arrays = np.random.default_rng(0), {}
    for site in range(3):
        labels = np.arange(20) % 2
        images = generator.random((20, 8, 8, 1)).astype(np.float32) * 0.5
        images[labels == 1, :4] += 0.5
        arrays |= {f"x{site}": images, f"y{site}": labels}
    np.savez(folder / "data.npz", **arrays)
    return folder / "data.npz"
