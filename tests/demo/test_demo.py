"""The whole command: interrupted, resumed, and with a report at its end."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from wardround.evaluation.report import Report
from wardround.local.children import MARK

REPOSITORY = Path(__file__).parents[2]
SITES = ("east", "west")
RECIPE = """
name: bright-or-dark
task: {labels: [bright, dark], image: {modality: [DX], size: [8, 8]}}
model: {builtin: logistic}
algorithm: {client: {optimizer: adam, learning_rate: 0.05, epochs: 2, batch_size: 8}}
rounds: {count: 2, quorum: 2, deadline: 5m, join_deadline: 5m}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images of two sites, where every dark image has a dark left half, and a recipe."""
    folder = tmp_path_factory.mktemp("demo")
    rng = np.random.default_rng(1)
    rows = []
    for number in range(80):
        label, site = ("bright", "dark")[number % 2], SITES[number // 40]
        pixels = rng.integers(60, 200, (16, 16))
        pixels[:, :8] -= 60 * (number % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
        rows.append((f"{number}.png", site, f"p{number}", label))
    with (folder / "manifest.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("file", "site", "patient", "label"), *rows])
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


def command(folder: Path, *options: str) -> list[str]:
    """The demo in a folder."""
    return [sys.executable, "-m", "wardround", "demo", "--folder", str(folder), *options]


def environment() -> dict[str, str]:
    """The compiler's environment that the checkout has, if it has one."""
    python = REPOSITORY / ".venv-compiler" / "bin" / "python"
    return {**({"WARDROUND_COMPILER_PYTHON": str(python)} if python.is_file() else {}), **os.environ}


def left_of(folder: Path) -> Iterator[str]:
    """Processes of the demo in a folder."""
    for process in psutil.process_iter():
        try:
            own = process.environ().get(MARK) == str(folder) or process.cwd().startswith(str(folder))
        except psutil.Error:
            continue
        if own:
            yield " ".join(process.cmdline())


def interrupt(folder: Path, at: str, number: signal.Signals, *options: str) -> tuple[int, str]:
    """Starts the demo, sends a signal when it prints `at`; its exit code and all that it said."""
    # From a shell that runs it in the background, a process inherits that Ctrl-C means nothing.
    with subprocess.Popen(
        ["env", "--default-signal=INT", *command(folder, *options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
        cwd=REPOSITORY,
    ) as process:
        said = []
        for line in process.stdout or ():
            said.append(line)
            if at in line:
                process.send_signal(number)
                break
        rest, _ = process.communicate()
    return process.returncode, "".join(said) + rest


def test_an_interrupted_demo_leaves_no_process_and_goes_on_to_its_report(world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    options = ("--images", str(world), "--recipe", str(world / "recipe.yaml"))

    code, said = interrupt(folder, "plan compiling", signal.SIGINT, *options)
    assert code == 130, said
    assert f"wardround demo --resume --folder {folder}" in said
    assert list(left_of(folder)) == []

    code, said = interrupt(folder, "round 1", signal.SIGTERM, "--resume")
    assert code == 143, said
    assert "--resume" in said
    assert list(left_of(folder)) == []

    done = subprocess.run(
        command(folder, "--resume"),
        capture_output=True,
        text=True,
        env=environment(),
        cwd=REPOSITORY,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mlflow ui" in done.stdout
    assert list(left_of(folder)) == []
    check_report(json.loads((folder / "report.json").read_text()))
    assert "real images" in (folder / "report.html").read_text()


def check_report(report: dict[str, object]) -> None:
    """Its format is the promised one, and the models have learnt."""
    found = Report.model_validate(report)
    assert tuple(found.federated) == tuple(found.local) == tuple(found.pooled) == SITES
    assert all(tuple(scores) == SITES for scores in found.local.values())
    assert (found.data, found.rounds) == ("real images", 2)
    for score in (*found.federated.values(), *found.pooled.values()):
        low, value, high = score.auroc
        assert low is not None and value is not None and high is not None
        assert low <= value <= high
        assert value > 0.7
