"""`wardround site preprocess` as a hospital types it, against a real archive: killed on its way, and begun again."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from wardround.compiler_client import compile_recipe
from wardround.coordinator.commands import open_run
from wardround.coordinator.settings import CoordinatorSettings
from wardround.exchange.envelope import SigningKey
from wardround.exchange.layout import COORDINATOR
from wardround.imaging.dataset import DatasetInfo
from wardround.imaging.labels import write_labels
from wardround.plan.format import Plan, load_plan
from wardround.recipe import load_recipe

from .conftest import NAME, STUDIES, Hospital
from .orthanc import PASSWORD, Orthanc

RECIPE = """
name: tiny
task: {labels: [normal, opacity], image: {modality: [DX], size: [16, 16]}}
model: {builtin: logistic}
algorithm: {client: {learning_rate: 0.1, batch_size: 8}}
rounds: {count: 1, quorum: 1}
"""
SITE, RUN, PATIENCE = "alder", "first", 600.0


@pytest.fixture(scope="session")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A plan for images of two classes; WARDROUND_TEST_PLAN may name one that is there already."""
    if ready := os.environ.get("WARDROUND_TEST_PLAN"):
        return load_plan(Path(ready))
    folder = tmp_path_factory.mktemp("plan")
    (folder / "recipe.yaml").write_text(RECIPE)
    return load_plan(compile_recipe(load_recipe(folder / "recipe.yaml"), folder / "plan").folder)


@dataclass(frozen=True)
class Site:
    """A hospital that takes part in a run whose exchange is a folder."""

    folder: Path
    plan: Plan
    labels: Path
    coordinator: str

    def start(self, images: str, work: str) -> subprocess.Popen[bytes]:
        """`wardround site preprocess` with images from an address, in a session of its own."""
        options = {
            "federation": "ward",
            "site": SITE,
            "run": RUN,
            "exchange": self.folder / "exchange",
            "key-file": self.folder / f"{SITE}.pem",
            "coordinator-key": self.coordinator,
            "approved-digests": f"[{self.plan.digest}]",
            "work": self.folder / work,
            "dicom": images,
            "labels": self.labels,
            "split-key": self.folder / "split.key",
            "workers": 1,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        with (self.folder / f"{work}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "wardround", "site", "preprocess", *words],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def dataset(self, work: str) -> tuple[DatasetInfo, dict[str, bytes]]:
        """The data set's description, and its shards."""
        (folder,) = (self.folder / work / "datasets").iterdir()
        return DatasetInfo.load(folder), {path.name: path.read_bytes() for path in folder.glob("*.tfrecord")}

    def log(self, work: str) -> str:
        return (self.folder / f"{work}.log").read_text()


@pytest.fixture
def site(plan: Plan, hospital: Hospital, tmp_path: Path) -> Site:
    """The hospital with all of its studies labelled, in a run that is open."""
    (tmp_path / "split.key").write_bytes(b"0123456789abcdef0123456789abcdef")
    for name in (SITE, COORDINATOR):
        SigningKey.generate().save(tmp_path / f"{name}.pem")
    member = SigningKey.load(tmp_path / f"{SITE}.pem").public.text
    open_run(
        CoordinatorSettings(
            federation="ward",
            run=RUN,
            exchange=str(tmp_path / "exchange"),
            key_file=tmp_path / f"{COORDINATOR}.pem",
            members={SITE: member},
            plan=plan.folder,
            work=tmp_path / "coordinator",
            quorum=1,
        )
    )
    names = plan.manifest.recipe_model().task.labels
    rows = [(study, names[index % 2]) for index, study in enumerate(hospital.studies)]
    labels = write_labels(tmp_path / "labels.csv", "study", rows)
    return Site(tmp_path, plan, labels, SigningKey.load(tmp_path / f"{COORDINATOR}.pem").public.text)


def killed_after(process: subprocess.Popen[bytes], begun: Path, seconds: float) -> bool:
    """Kills a process and its workers some time after a path is there; whether it was still at work."""
    end = time.monotonic() + PATIENCE
    while not begun.exists() and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(seconds)
    working = process.poll() is None
    os.killpg(process.pid, signal.SIGKILL) if working else None
    process.wait()
    return working


def test_a_command_that_is_killed_again_and_again_makes_the_shards_of_one_that_is_not(
    site: Site, filled: Orthanc, hospital: Hospital
) -> None:
    work = site.folder / "killed"
    # While it fetches, while it reads headers or decodes, and while it writes shards, as fast as the machine may be.
    moments = ((work / "incoming" / "files", 0.0), (work / "datasets", 0.05), (work / "datasets", 0.4))
    working = [killed_after(site.start(filled.url, "killed"), *moment) for moment in moments]
    assert any(working)
    assert site.start(filled.url, "killed").wait(PATIENCE) == 0, site.log("killed")
    assert site.start(str(hospital.files), "folder").wait(PATIENCE) == 0, site.log("folder")
    (info, shards), alone = site.dataset("killed"), site.dataset("folder")
    assert (info, shards) == alone and sum(split.count for split in info.splits.values()) == STUDIES
    assert [*work.glob("incoming/files/*/*")] == []
    assert PASSWORD not in site.log("killed") and NAME not in site.log("killed")
