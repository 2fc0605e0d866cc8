"""Nothing of a patient's, and nothing in a library's words, in what a process of a hospital says when things fail."""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from wardround.compiler_client import compile_recipe
from wardround.exchange.envelope import SigningKey
from wardround.imaging.shards import write_dataset
from wardround.imaging.writer import Grey, Origin, write_dx
from wardround.plan.format import load_plan
from wardround.recipe import parse_recipe

pytestmark = pytest.mark.xdist_group("hostile-logs")
CANARY = "Exlund^Bo"  # as in failing_process.py
MARK = 424_200_000  # as in leaky_model.py: a pixel's value is added to it
RECIPE = """
name: leaky
task: {labels: [normal, opacity], image: {modality: [DX], size: [8, 8]}}
model: {file: leaky_model.py}
algorithm: {client: {learning_rate: 0.1, batch_size: 8}}
rounds: {count: 1, quorum: 1, deadline: 60s, join_deadline: 60s}
evaluation: {every: 0}
"""
# What TensorFlow's error says besides the pixels.
WORDS = ("Label values", "valid range", "logits_and_labels", "Traceback", "node_")


@pytest.fixture(scope="module")
def leaky_plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan whose training fails with all pixels of a batch in TensorFlow's words."""
    if ready := os.environ.get("WARDROUND_TEST_LEAKY_PLAN"):
        return Path(ready)
    folder = tmp_path_factory.mktemp("leaky")
    return compile_recipe(parse_recipe(RECIPE), folder / "plan", folder=Path(__file__).parent).folder


@dataclass(frozen=True)
class Hospital:
    """A federation of one hospital over a folder: where all of it lies, and its settings file."""

    folder: Path
    settings: Path

    def wardround(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of the hospital's, as a container runs it: Kubeflow uploads what it prints."""
        command = [sys.executable, "-m", "wardround", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    def said(self) -> str:
        """All that was written anywhere but for the data set itself and the kept texts."""
        places = [path for path in self.folder.rglob("*") if path.is_file() and path.suffix != ".tfrecord"]
        return "\n".join(
            path.read_bytes().decode("utf-8", "replace") for path in places if "error-texts" not in path.parts
        )


@pytest.fixture(scope="module")
def hospital(leaky_plan: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """The coordinator plays the run until the block ends."""
    folder = tmp_path_factory.mktemp("hospital")
    keys = {name: SigningKey.generate() for name in ("coordinator", "alder")}
    for name, key in keys.items():
        key.save(folder / f"{name}.pem")
    images = np.random.default_rng(5).integers(0, 256, (16, 8, 8, 1)).astype(np.uint8)
    split = (images, np.arange(16) % 2)
    write_dataset(
        folder / "data", dict.fromkeys(("train", "validation", "test"), split), ["normal", "opacity"]
    )
    shared = {"federation": "ward", "run": "leak", "exchange": str(folder / "exchange")}
    members = {"alder": keys["alder"].public.text}
    coordinator = shared | {"key_file": str(folder / "coordinator.pem"), "members": members}
    coordinator |= {"plan": str(leaky_plan), "work": str(folder / "coordinator"), "threads": 1}
    site = shared | {"site": "alder", "key_file": str(folder / "alder.pem"), "threads": 1}
    site |= {"coordinator_key": keys["coordinator"].public.text, "data": str(folder / "data")}
    site |= {"work": str(folder / "work"), "approved_digests": [load_plan(leaky_plan).digest]}
    (folder / "coordinator.yaml").write_text(json.dumps(coordinator))
    (folder / "site.yaml").write_text(json.dumps(site))
    with (folder / "coordinator.log").open("w") as log:
        command = [sys.executable, "-m", "wardround", "coordinator", "aggregate"]
        process = subprocess.Popen(
            [*command, "--settings", str(folder / "coordinator.yaml")], stdout=log, stderr=log
        )
        yield Hospital(folder, folder / "site.yaml")
        process.terminate()
        process.wait()


def pixels_in(text: str) -> list[str]:
    """Pixels that the leaky graph tells; also as they stand in a fraction."""
    return re.findall(rf"{MARK // 1000}\d\d\d|0\.\d{{5,}}", text)


def test_a_graph_that_fails_with_images_in_its_words_leaves_class_and_place_in_the_log(
    hospital: Hospital,
) -> None:
    done = hospital.wardround("site", "train", "--settings", str(hospital.settings))
    told = done.stdout + done.stderr
    assert done.returncode == 1 and "graphs/work.pb failed while it ran (InvalidArgumentError)" in told
    assert pixels_in(told) == [] and not [word for word in WORDS if word in told], told
    assert "graph-failed" in done.stderr.splitlines()[-1]
    assert pixels_in(hospital.said()) == []


def test_the_text_is_kept_for_the_hospital_only_if_it_asks_for_it(hospital: Hospital) -> None:
    assert list(hospital.folder.rglob("error-texts")) == []
    done = hospital.wardround(
        "site", "train", "--settings", str(hospital.settings), "--keep-error-texts", "true"
    )
    (kept,) = hospital.folder.glob("work/error-texts/*.log")
    assert len(pixels_in(kept.read_text())) >= 64  # so the graph does leak, and only the log does not
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 and stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert pixels_in(done.stdout + done.stderr + hospital.said()) == []


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], str]:
    """What a process showed in which everything failed, and what it kept."""
    folder = tmp_path_factory.mktemp("failed")
    command = [sys.executable, str(Path(__file__).with_name("failing_process.py")), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    (kept,) = folder.glob("error-texts/*.log")
    return done, kept.read_text(errors="replace")


def test_libraries_that_fail_in_every_way_are_told_by_class_and_place(
    failed: tuple[subprocess.CompletedProcess[str], str],
) -> None:
    done, kept = failed
    told = done.stdout + done.stderr
    assert done.returncode == 1 and "the end" in told and "did not fail" not in told
    assert (
        CANARY not in told and "421337" not in told and "Traceback" not in told and "native code" not in told
    )
    for name in (
        "InvalidDicomError",
        "NoSuchFile",
        "ConnectionError",
        "ValidationError",
        "InvalidArgumentError",
    ):
        assert name in told
    # Without it the test above would show nothing: the libraries did say all of that.
    assert kept.count(CANARY) > 20 and "421337" in kept and "native code" in kept


def test_a_warning_a_thread_and_what_nobody_caught_are_a_line_each(
    failed: tuple[subprocess.CompletedProcess[str], str],
) -> None:
    lines = failed[0].stderr.splitlines()
    for start in (
        "a library warns: UserWarning in valuerep.py",
        "thread worker: ValueError",
        "RuntimeError at",
    ):
        assert len([line for line in lines if line.startswith(f"wardround: {start}")]) == 1
    assert lines[-1].endswith("[library-failed]")
    assert all(re.match(r"20\d\d-|wardround: |the end", line) for line in lines)


def test_broken_files_of_a_hospital_are_not_quoted(tmp_path: Path) -> None:
    source, work = tmp_path / "in", tmp_path / "dataset"
    source.mkdir()
    origin = Origin(patient=CANARY, name=CANARY, study=CANARY, series=CANARY, instance="1", manufacturer="M")
    write_dx(source / "whole.dcm", np.zeros((16, 16), np.uint16), origin, Grey(12, window=(1, 2)))
    data = (source / "whole.dcm").read_bytes()
    (source / "cut.dcm").write_bytes(data[: data.index(CANARY.encode()) + 20])
    (source / "odd.dcm").write_bytes(data.replace(b"DX", b"\x1b[", 3).replace(b"IS", b"\xff\xff"))
    (source / "none.dcm").write_bytes(CANARY.encode() * 99)
    work.mkdir()
    (work / "dataset.json").write_text(json.dumps({"labels": CANARY, CANARY: 1, "digest": CANARY}))
    (work / "statistics.json").write_text("{" + CANARY)
    (work / "options.yaml").write_text(f"dates: [{CANARY}")
    key = ("--key", str(tmp_path / "key"), "--new-key")
    runs = (
        ("deid", str(source), str(tmp_path / "out"), *key),
        (
            "deid",
            str(source),
            str(tmp_path / "out2"),
            "--key",
            str(tmp_path / "key"),
            "--options",
            str(work / "options.yaml"),
        ),
        ("data", "report", str(work)),
    )
    for words in runs:
        done = subprocess.run(
            [sys.executable, "-m", "wardround", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        told = done.stdout + done.stderr
        assert (
            done.returncode != 0 and CANARY not in told and "Traceback" not in told and "\x1b" not in told
        ), told
