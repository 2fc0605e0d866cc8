"""Aggregation of updates of 97 MB: time against a bare numpy sum plus reading; memory for 10 and 100 updates.

The coordinator's own steps run: reading with its checks (size, SHA-256, names, shapes), the checks of values,
`accumulate`, `update`. Two generated updates are read again and again, so the disk holds two files only.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from benchmarks.job_f import say
from wardround.compiler_client import compile_recipe
from wardround.exchange.envelope import TensorFile
from wardround.exchange.tensors import TensorSpec, read_tensors, write_tensors
from wardround.plan.checks import check_update
from wardround.plan.format import load_plan
from wardround.plan.program import Program
from wardround.recipe import Recipe

GOAL, FEW, MANY = 4.0, 10, 100


def main() -> None:
    """Print the result; with --count, do one aggregation (in a process of its own, to measure its memory)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if arguments.count:
        print(json.dumps(_aggregate(arguments.folder, arguments.count)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = _prepare(folder)
        few, many = (_in_a_process(folder, count) for count in (FEW, MANY))
    bare = few["numpy_sum_s"] + few["read_s"]
    result = {
        "benchmark": "aggregate",
        "ratio": few["aggregate_s"] / bare,
        "goal": GOAL,
        "better": "lower",
        "memory_ratio": many["peak_mb"] / few["peak_mb"],
        "memory_goal": 1.05,
        "update_mb": size / 1e6,
        f"of_{FEW}": few,
        f"of_{MANY}": many,
    }
    print(json.dumps(result))


def _prepare(folder: Path) -> int:
    recipe = Recipe.model_validate(
        {
            "name": "wide",
            "task": {"labels": ["a", "b"], "image": {"size": [32, 32]}},
            "model": {"file": "wide_model.py"},
        }
    )
    plan = compile_recipe(recipe, folder / "plan", folder=Path(__file__).parent, progress=say)
    program, generator = Program(plan), np.random.default_rng(1)
    for index in range(2):
        tensors = {}
        for name, spec in program.update_spec(("train",)).items():
            value = generator.standard_normal(spec.shape, dtype=np.float32) * np.float32(0.01) + 1
            # A scalar is a weight or a count: of one example.
            tensors[name] = np.asarray(value if spec.shape else 1, spec.dtype).reshape(spec.shape)
        file = write_tensors(folder / f"update{index}.safetensors", tensors)
        (folder / f"update{index}.json").write_text(json.dumps({"sha256": file.sha256, "size": file.size}))
    return file.size


def _in_a_process(folder: Path, count: int) -> dict[str, float]:
    say(f"aggregating {count} updates")
    command = [sys.executable, "-m", "benchmarks.aggregate", "--count", str(count), "--folder", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _aggregate(folder: Path, count: int) -> dict[str, float]:
    program = Program(load_plan(folder / "plan"))
    state = program.initialize()
    spec = {n: TensorSpec(s.shape, s.dtype) for n, s in program.update_spec(("train",)).items()}
    _one(program, folder, spec, 0)  # sessions are opened once in a coordinator's life
    start = time.perf_counter()
    total, reading = program.accumulator(), 0.0
    for index in range(count):
        before = time.perf_counter()
        update = _read(folder, spec, index % 2)
        reading += time.perf_counter() - before
        check_update(program, ("train",), update)
        total.add(update)
    program.update(state, total.result())
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "aggregate_s": seconds,
        "read_s": reading,
        "numpy_sum_s": _numpy_sum(folder, spec, count),
        "peak_mb": peak,
        "per_update_s": seconds / count,
    }


def _one(program: Program, folder: Path, spec: dict[str, TensorSpec], index: int) -> None:
    total = program.accumulator()
    total.add(_read(folder, spec, index))
    total.result()


def _read(folder: Path, spec: dict[str, TensorSpec], index: int) -> dict[str, np.ndarray]:
    said = json.loads((folder / f"update{index}.json").read_text())
    return read_tensors(folder / f"update{index}.safetensors", spec, TensorFile(**said))


def _numpy_sum(folder: Path, spec: dict[str, TensorSpec], count: int) -> float:
    updates = [_read(folder, spec, index) for index in range(2)]
    sums = {name: np.zeros(value.shape, value.dtype) for name, value in updates[0].items()}
    start = time.perf_counter()
    for index in range(count):
        for name, value in updates[index % 2].items():
            sums[name] += value
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
