"""Whatever somebody changes in a plan, compiling its recipe again shows it, and says where."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wardround.compiler.differences import first_difference
from wardround.compiler_environment import find_interpreter
from wardround.plan.format import Plan, load_plan
from wardround.plan_verification import compared, verify_plan
from wardround.site.verifying import read_verification

from .altering import Change, altered, first, read_graph

PROGRAM = Path(sys.executable).with_name("wardround")


@pytest.fixture(scope="session")
def ours(plan_folder: Path) -> Plan:
    """What the recipe compiles to here."""
    return load_plan(plan_folder)


def run(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(PROGRAM), "plan", "verify", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def other_machine(folder: Path) -> Path:
    """A compiler that finds another CPU: one core, none of the newer instructions; and other libraries' choices."""
    script = folder / "python"
    variables = (
        "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-AVX,-FMA,-FMA4 NPY_DISABLE_CPU_FEATURES='AVX2 FMA3' "
        "ONEDNN_MAX_CPU_ISA=SSE41 OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 "
        "TF_NUM_INTEROP_THREADS=1"
    )
    script.write_text(f'#!/bin/sh\n{variables} exec taskset -c 0 {find_interpreter()} "$@"\n')
    script.chmod(0o755)
    return script


def hostile_home(folder: Path) -> Path:
    """A folder to start in, and to live in, where others' files lie in wait."""
    folder.mkdir()
    for name in ("numpy", "tensorflow", "argparse", "json"):
        (folder / f"{name}.py").write_text("raise SystemExit('imported from the working folder')")
    (folder / ".keras").mkdir()
    settings = {"floatx": "float16", "epsilon": 1e-3, "image_data_format": "channels_first"}
    (folder / ".keras" / "keras.json").write_text(json.dumps(settings))
    return folder


def test_an_honest_plan_is_verified_on_another_machine_wherever_and_by_whomever_it_is_started(
    ours: Plan, tmp_path: Path
) -> None:
    home = hostile_home(tmp_path / "ein Ort mit Umlaut ü")
    done = run(
        ours.folder,
        "--work",
        tmp_path / "work",
        cwd=home,
        WARDROUND_COMPILER_PYTHON=str(other_machine(tmp_path)),
        HOME=str(home),
        TMPDIR=str(home),
        USER="somebody",
        LC_ALL="C",
        LANG="de_DE.UTF-8",
        TZ="Asia/Tokyo",
        PYTHONHASHSEED="4711",
        TF2_BEHAVIOR="0",
        TF_ENABLE_ONEDNN_OPTS="1",  # what TensorFlow does by itself on a CPU with AVX-512 VNNI, with other graphs
        TF_XLA_FLAGS="--tf_xla_auto_jit=2",
        KERAS_HOME=str(home / ".keras"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("Verified: this is exactly FedAvg of logistic by TFF 0.87.0, nothing else.")
    assert "Not covered: the weights" in done.stdout
    assert "compiling the training graphs" in done.stderr
    assert read_verification(tmp_path / "work", ours.digest).is_verified


def test_one_altered_operation_is_refused_by_the_command_with_the_line_that_says_which(
    ours: Plan, tmp_path: Path
) -> None:
    bad = altered(ours.folder, tmp_path / "plan", graph=swap_operation)
    done = run(bad.folder, "--work", tmp_path / "work", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stdout.startswith(
        "NOT what its recipe says: the graphs are the author's own and could encode images"
    )
    assert "graphs/work.pb is another graph than its recipe compiles to" in done.stdout
    assert "operation 'Sub' instead of 'AddV2'" in done.stdout
    assert read_verification(tmp_path / "work", bad.digest).basis == "authors-own"


def swap_operation(graph: Any) -> None:
    first(graph, "AddV2").op = "Sub"


def change_constant(graph: Any) -> None:
    tensor = first(graph, "Const").attr["value"].tensor
    tensor.tensor_content = bytes(8)


def change_attribute(graph: Any) -> None:
    node = first(graph, "MatMul")
    node.attr["transpose_a"].b = not node.attr["transpose_a"].b


def add_attribute(graph: Any) -> None:
    first(graph, "Identity").attr["_lower_using_switch_merge"].b = True


def add_node(graph: Any) -> None:
    graph.node.add(name="extra", op="NoOp")


def rewire(graph: Any) -> None:
    node = first(graph, "MatMul")
    node.input[0], node.input[1] = node.input[1], node.input[0]


def add_function(graph: Any) -> None:
    graph.library.function.add().signature.name = "extra"


def add_gradient(graph: Any) -> None:
    graph.library.gradient.add(function_name="extra", gradient_func="extra")


def change_version(graph: Any) -> None:
    graph.versions.producer += 1


def change_device(graph: Any) -> None:
    first(graph, "MatMul").device = "/device:CPU:1"


CHANGES: dict[Change, str] = {
    swap_operation: "operation 'Sub' instead of 'AddV2'",
    change_constant: "the constant has another value",
    change_attribute: "attribute 'transpose_a' has another value",
    add_attribute: "attribute '_lower_using_switch_merge' is added",
    add_node: "has node 'extra' (NoOp) beyond",
    rewire: "inputs",
    add_function: "function 'extra' does not belong there",
    add_gradient: "the graph's library: field 'gradient' has another value",
    change_version: "the graph: field 'versions' has another value",
    change_device: "field 'device' has another value",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_every_altered_graph_differs_and_the_first_difference_is_named(
    change: Change, ours: Plan, tmp_path: Path
) -> None:
    bad = altered(ours.folder, tmp_path / "plan", graph=change)
    found = compared(bad.manifest, ours)
    assert found.state == "differs" and not found.is_verified
    assert found.differences == ("graphs/work.pb is another graph than its recipe compiles to",)
    part = ours.manifest.train.work
    words = first_difference(read_graph(bad.graph(bad.manifest.train.work)), read_graph(ours.graph(part)))
    assert CHANGES[change] in words


@pytest.mark.parametrize("part", ["initialize", "prepare", "work", "accumulate", "update"])
def test_one_added_byte_in_any_graph_differs(part: str, ours: Plan, tmp_path: Path) -> None:
    # Field 127, which GraphDef does not have: the graph means the same, and is another.
    bad = altered(ours.folder, tmp_path / "plan", part=part, bytes_=lambda data: data + b"\xf8\x07\x00")
    found = compared(bad.manifest, ours)
    assert found.differences == (f"graphs/{part}.pb is another graph than its recipe compiles to",)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda m: m["weights"][0].update(name="innocent"), 'weights.0.name is "innocent"'),
        (lambda m: m["layers"].append(["extra", "Dense", 1]), "layers.4 is"),
        (lambda m: m["versions"].update(tensorflow_federated="0.86.0"), 'versions.tensorflow_federated is "0.86.0"'),
        (lambda m: m["train"]["work"].update(initialize_op="init"), 'train.work.initialize_op is "init"'),
        (lambda m: m["recipe"]["algorithm"].pop("weighting"), "recipe.algorithm.weighting is absent"),
    ],
    ids=["weight", "layer", "version", "initialize", "default"],
)  # fmt: skip
def test_one_altered_field_of_the_manifest_differs_and_is_named(
    change: Change, line: str, ours: Plan, tmp_path: Path
) -> None:
    bad = altered(ours.folder, tmp_path / "plan", manifest=change)
    found = compared(bad.manifest, ours)
    assert found.state == "differs"
    assert found.differences[0].startswith(line)
    assert "its recipe compiles to" in found.differences[0]


def test_a_recipe_that_says_another_learning_rate_than_its_graphs_have_differs(
    ours: Plan, tmp_path: Path
) -> None:
    def claim(manifest: Any) -> None:
        manifest["recipe"]["algorithm"]["client"]["learning_rate"] = 0.5

    bad = altered(ours.folder, tmp_path / "plan", manifest=claim)
    found = verify_plan(bad.manifest, graphs=bad.folder)
    assert found.state == "differs"
    assert any("graphs/" in line and "the constant has another value" in line for line in found.differences)


def test_a_recipe_with_python_files_is_the_authors_own_and_nothing_is_compiled(
    ours: Plan, tmp_path: Path
) -> None:
    def own_model(manifest: Any) -> None:
        manifest["recipe"]["model"] |= {"builtin": None, "file": "model.py"}

    bad = altered(ours.folder, tmp_path / "plan", manifest=own_model)
    (bad.folder / "model.py").write_text("raise SystemExit('executed')")
    found = verify_plan(bad.manifest, graphs=bad.folder, interpreter=tmp_path / "no-such-python")
    assert found.state == found.basis == "authors-own"


@pytest.mark.parametrize(
    ("script", "seconds", "reason"),
    [("#!/bin/sh\nexit 1\n", 60, "compile"), ("#!/bin/sh\nexec sleep 60\n", 0.5, "timeout")],
)
def test_a_compiler_that_fails_or_does_not_end_verifies_nothing(
    script: str, seconds: float, reason: str, ours: Plan, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(script)
    python.chmod(0o755)
    found = verify_plan(ours.manifest, interpreter=python, seconds=seconds)
    assert (found.state, found.reason) == ("not-verified", reason)
