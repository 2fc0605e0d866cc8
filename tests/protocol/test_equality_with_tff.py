"""Running a plan gives TFF's own numbers: every algorithm, optimizer and aggregation, three rounds, three sites."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from filelock import FileLock

import wardround
from wardround.compiler_environment import find_interpreter
from wardround.evaluation import sums
from wardround.plan.checks import Site, check_update
from wardround.plan.data import Examples, training_order
from wardround.plan.format import Plan, write_plan
from wardround.plan.operations import ALLOWED
from wardround.plan.process import unprefixed
from wardround.plan.program import Program
from wardround.plan.review import check_operations
from wardround.recipe import Recipe

TOLERANCE = 1e-6
ROUNDS = 3
SIZES = (17, 40, 9)
CLIENT = {"optimizer": "sgd", "learning_rate": 0.05, "batch_size": 8}

ALGORITHMS: dict[str, dict[str, Any]] = {
    "fedavg-sgd": {},
    "fedavg-momentum-both": {"client": {"momentum": 0.9}, "server": {"momentum": 0.9, "learning_rate": 0.5}},
    "fedavg-two-epochs": {"client": {"epochs": 2}},
    "fedavg-client-adam-server-adam": {
        "client": {"optimizer": "adam", "learning_rate": 0.01},
        "server": {"optimizer": "adam", "learning_rate": 0.01},
    },
    "fedavg-client-adamw": {"client": {"optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.01}},
    "fedavg-server-yogi": {"server": {"optimizer": "yogi", "learning_rate": 0.01}},
    "fedavg-server-adagrad": {"server": {"optimizer": "adagrad", "learning_rate": 0.1}},
    "fedavg-uniform": {"weighting": "uniform"},
    "fedavg-exponential-schedule": {
        "client": {"schedule": {"kind": "exponential", "factor": 0.5, "every": 1}}
    },
    "fedavg-cosine-schedule": {"client": {"schedule": {"kind": "cosine", "factor": 0.1, "every": 3}}},
    "fedprox": {"name": "fedprox", "proximal_strength": 0.3},
    "fedsgd": {"name": "fedsgd", "server": {"learning_rate": 0.1}},
    "mimelite": {"name": "mimelite", "client": {"optimizer": "adam", "learning_rate": 0.003}},
    "mimelite-momentum-schedule": {
        "name": "mimelite",
        "client": {"momentum": 0.9, "schedule": {"kind": "exponential", "factor": 0.5, "every": 1}},
    },
    "custom-process": {"name": "custom", "process": {"file": "tiny_models.py", "function": "own_process"}},
}
AGGREGATIONS: dict[str, dict[str, Any]] = {
    "robust-adaptive": {"robust": {"clip": "adaptive", "zero": True}},
    "robust-fixed-norm": {"robust": {"clip": 0.05, "zero": False}},
    "compressed": {"compressed": True},
    "compressed-robust": {"compressed": True, "robust": {}},
    "secure": {"secure": True},
    "secure-robust": {"secure": True, "robust": {}},
}


def _recipe(name: str, algorithm: dict[str, Any], aggregation: dict[str, Any]) -> Recipe:
    client = {**CLIENT, **algorithm.get("client", {})}
    function = "wide" if aggregation.get("compressed") else "convolutional"
    return Recipe.model_validate(
        {
            "name": name,
            "seed": 7,
            "task": {"labels": ["a", "b"], "image": {"size": [8, 8]}},
            "model": {"file": "tiny_models.py", "function": function},
            "algorithm": {**algorithm, "client": client},
            "aggregation": aggregation,
        }
    )


CASES = {
    **{name: _recipe(name, algorithm, {}) for name, algorithm in ALGORITHMS.items()},
    **{name: _recipe(name, {}, aggregation) for name, aggregation in AGGREGATIONS.items()},
    "mimelite-secure": _recipe("mimelite-secure", {"name": "mimelite"}, {"secure": True}),
}


def _sites() -> list[Examples]:
    generator = np.random.default_rng(3)
    sites = []
    for size in SIZES:
        labels = (generator.random(size) < 0.5).astype(np.int32)
        noise = generator.random((size, 8, 8, 1), dtype=np.float32)
        sites.append(
            Examples(noise * 0.8 + 0.2 * labels.reshape(-1, 1, 1, 1).astype(np.float32), labels, 1.0)
        )
    return sites


def _order(name: str, site: int, number: int) -> np.ndarray:
    epochs = CASES[name].algorithm.client.epochs
    return training_order(SIZES[site], seed=7, run="r", site=str(site), round=number, epochs=epochs)


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile and simulate all cases once; WARDROUND_TEST_REFERENCE may name a folder where that was done."""
    if ready := os.environ.get("WARDROUND_TEST_REFERENCE"):
        return Path(ready)
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    folder = shared / "tff-reference"
    with FileLock(shared / "tff-reference.lock"):
        if not (folder / "done").exists():
            _simulate_all(folder)
            (folder / "done").touch()
    return folder


def _simulate_all(folder: Path) -> None:
    folder.mkdir()
    here = Path(__file__).parent
    (folder / "tiny_models.py").write_text((here / "tiny_models.py").read_text())
    halves = [list(CASES)[0::2], list(CASES)[1::2]]
    running = [_start(folder, index, names) for index, names in enumerate(halves)]
    try:
        codes = [process.wait() for process, _ in running]
    finally:
        for process, known in running:
            _end(process, known)
    logs = "\n".join((folder / f"log{index}").read_text()[-3000:] for index in range(len(halves)))
    assert codes == [0, 0], logs


def _start(folder: Path, index: int, names: list[str]) -> tuple[subprocess.Popen[bytes], str]:
    # Every case has the orders of a recipe with its number of epochs; both lengths are in the file.
    (folder / f"cases{index}.json").write_text(json.dumps({n: CASES[n].resolved() for n in names}))
    for name in names:
        arrays: dict[str, np.ndarray] = {}
        for site, examples in enumerate(_sites()):
            arrays |= {f"x{site}": examples.images, f"y{site}": examples.labels}
            arrays |= {f"order{site}_{number}": _order(name, site, number) for number in range(ROUNDS)}
        np.savez(folder / f"{name}.npz", **arrays)
    package = Path(wardround.__file__).parent
    path = folder / f"path{index}"
    path.mkdir()
    (path / "wardround").symlink_to(package, target_is_directory=True)
    mark = f"{folder}/{index}"
    environment = {**os.environ, "PYTHONPATH": str(path), "WARDROUND_TEST_MARK": mark}
    with (folder / f"log{index}").open("wb") as log:  # a file: TFF's orphans would keep a pipe open
        command = [
            find_interpreter(),
            Path(__file__).parent / "tff_reference.py",
            folder / f"cases{index}.json",
            folder,
        ]
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment), mark


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    """End TFF's worker_binary, which outlives the process that started it, by the mark in its environment."""
    if process.poll() is None:
        process.kill()
    for other in psutil.process_iter(["name"]):
        try:
            if other.info["name"] == "worker_binary" and other.environ().get("WARDROUND_TEST_MARK") == mark:
                other.kill()
        except psutil.Error:
            continue


def _plan(reference: Path, name: str) -> Plan:
    return write_plan(json.loads((reference / name / "draft.json").read_text()), reference / name)


def _difference(ours: Any, theirs: Any) -> float:
    a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert a.shape == b.shape
    return float(np.max(np.abs(a - b), initial=0.0))


def _largest_difference(ours: Any, theirs: Any) -> float:
    return max(_difference(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_three_rounds_of_a_plan_equal_three_rounds_in_tff(name: str, reference: Path) -> None:
    expected = json.loads((reference / f"{name}.json").read_text())
    program, sites = Program(_plan(reference, name), threads=1), _sites()
    state = program.initialize()
    for number, theirs in enumerate(expected["rounds"]):
        broadcast = _received(program, state)
        total = program.accumulator()
        for site, examples in enumerate(sites):
            update = program.work(examples, _order(name, site, number), broadcast)
            check_update(program, ("train",), update, Site({"train": SIZES[site]}, len(SIZES), state))
            total.add(update)
        state, measurements = program.update(state, total.result())
        weights = list(program.weights(state).values())
        assert _largest_difference(weights, theirs["weights"]) <= TOLERANCE
        assert _largest_difference(measurements.values(), theirs["measurements"]) <= TOLERANCE
    _check_evaluation(program, state, sites, expected["evaluation"])


@pytest.mark.parametrize("name", CASES)
def test_every_graph_of_a_plan_passes_the_review_of_a_hospital(name: str, reference: Path) -> None:
    plan = _plan(reference, name)
    counts = check_operations(plan)
    assert counts["Placeholder"] and counts.keys() <= ALLOWED.keys()


def _received(program: Program, state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    broadcast = program.prepare(state)
    return broadcast.tensors | {name: broadcast.tensors[twin] for name, twin in broadcast.aliases.items()}


def _check_evaluation(program: Program, state: Any, sites: list[Examples], expected: list[Any]) -> None:
    broadcast, total = _received(program, state), sums.zero(2)
    for examples in sites:
        found = unprefixed(program.evaluate(examples, "validation", broadcast), "evaluate.validation/")
        total = sums.added(total, found)
    figures = sums.figures(total)
    loss, accuracy, count = expected
    assert figures["num_examples"] == count == sum(SIZES) and figures["undefined"] == 0
    assert abs(figures["accuracy"] - accuracy) <= TOLERANCE
    assert abs(figures["loss"] - loss) <= sums.LOSS_UNIT / 2 + TOLERANCE


@pytest.mark.parametrize("name", ["secure", "secure-robust", "mimelite-secure"])
def test_every_value_of_a_secure_update_is_a_bounded_integer(name: str, reference: Path) -> None:
    program = Program(_plan(reference, name), threads=1)
    kinds = ("train", "evaluate.validation")
    limits, spec = program.limits(kinds), program.update_spec(kinds)
    assert set(limits) == set(spec)
    assert all(np.issubdtype(tensor.dtype, np.integer) for tensor in spec.values())
    update = program.work(_sites()[0], _order(name, 0, 0), _received(program, program.initialize()))
    assert all(value.min() >= 0 and value.max() < limits[key] for key, value in update.items())
