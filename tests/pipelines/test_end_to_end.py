"""Compiled pipelines, as a user uploads them, run here: two hospitals, a coordinator, a folder as the exchange."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wardround.exchange.envelope import SigningKey
from wardround.local.phantoms import HOSPITALS, generate_xray_site
from wardround.plan.format import load_plan

pytestmark = pytest.mark.xdist_group("pipelines")
COMPILED = Path(__file__).parents[2] / "pipelines" / "compiled"
SITES = {profile.name: profile for profile in HOSPITALS[:2]}


@pytest.fixture(scope="module")
def finished(plan_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a federation whose three pipelines have ended well."""
    folder = tmp_path_factory.mktemp("federation")
    keys = {name: SigningKey.generate() for name in ("coordinator", *SITES)}
    for name, key in keys.items():
        key.save(folder / f"{name}.pem")
    (folder / "split.key").write_bytes(bytes(range(32)))  # a fixed one: every split then has both classes
    for site, profile in SITES.items():
        generate_xray_site(folder / "images" / site, profile, 60, seed=3)
    processes = [
        start(folder, "coordinator", "coordinator", coordinator_arguments(folder, keys, plan_folder))
    ]
    processes += [
        start(folder, site, "site", site_arguments(folder, site, keys, plan_folder)) for site in SITES
    ]
    codes = [process.wait(1800) for process in processes]
    assert codes == [0, 0, 0], logs(folder)
    return folder


def start(folder: Path, name: str, pipeline: str, arguments: dict[str, Any]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "wardround.local.kfp_runner", COMPILED / f"{pipeline}.yaml"]
    more = ["--arguments", json.dumps(arguments), "--root", folder / "runs" / name]
    # One hospital takes verified plans only, and compiles the recipe again; the others don't, which saves their time.
    settings = {
        "WARDROUND_SITE_THREADS": "1",
        "WARDROUND_SITE_VERIFY": "always" if name == "alder" else "never",
    }
    return subprocess.Popen([*command, *more], env={**os.environ, **settings})


def common(folder: Path, name: str) -> dict[str, Any]:
    return {
        "federation": "ward",
        "run": "first",
        "exchange_address": str(folder / "exchange"),
        "signing_key_file": str(folder / f"{name}.pem"),
        "work_folder": str(folder / "work" / name),
        "settings_file": "",
    }


def coordinator_arguments(folder: Path, keys: dict[str, SigningKey], plan: Path) -> dict[str, Any]:
    members = {site: keys[site].public.text for site in SITES}
    return common(folder, "coordinator") | {"member_public_keys": members, "plan_folder": str(plan)}


def site_arguments(folder: Path, site: str, keys: dict[str, SigningKey], plan: Path) -> dict[str, Any]:
    return common(folder, site) | {
        # One is told which run to take part in, the other finds it.
        "run": "" if site == "alder" else "first",
        "wait_for_run_seconds": 900.0,
        "site": site,
        "coordinator_public_key": keys["coordinator"].public.text,
        "approved_plan_digests": [load_plan(plan).digest],
        "dicom_folder_or_archive_url": str(folder / "images" / site / "dicom"),
        "split_key_file": str(folder / "split.key"),
        "labels_csv_file": str(folder / "images" / site / "labels.csv"),
    }


def logs(folder: Path) -> str:
    return "\n".join(f"== {path}\n{path.read_text()[-3000:]}" for path in sorted(folder.glob("runs/*/*.log")))


def output(folder: Path, name: str, step: str) -> dict[str, Any]:
    """A task's executor output: artifact name → metadata."""
    (path,) = folder.glob(f"runs/{name}/wardround-*/{step}/executor_output.json")
    return {k: v["artifacts"][0]["metadata"] for k, v in json.loads(path.read_text())["artifacts"].items()}


def test_the_coordinators_pipeline_shows_metrics_a_curve_and_a_report(finished: Path) -> None:
    shown = output(finished, "coordinator", "evaluate-run")
    assert shown["metrics"]["rounds"] == 3  # two of training, and the closing evaluation
    assert 0 <= shown["metrics"]["test_auroc"] <= 1
    assert shown["curves"]["confidenceMetrics"][0]["recall"] >= 0
    assert len(shown["curves"]["confusionMatrix"]["rows"]) == 2
    (page,) = finished.glob("runs/coordinator/wardround-*/evaluate-run/report")
    assert "<svg" in page.read_text()


def test_a_site_answers_every_round_and_shows_only_what_it_has_published(finished: Path) -> None:
    assert output(finished, "alder", "train")["metrics"] == {"rounds_answered": 3, "rounds_refused": 0}
    shown = output(finished, "alder", "evaluate-site")["metrics"]
    coordinators = output(finished, "coordinator", "evaluate-run")["metrics"]
    assert shown["test_auroc"] == coordinators["alder_test_auroc"]


def test_the_sites_own_figures_stay_in_its_work_folder(finished: Path) -> None:
    report = json.loads((finished / "work/alder/ward/alder/first/report.json").read_text())
    low, value, high = report["splits"]["test"]["auroc"]
    assert low <= value <= high
    pages = [path.read_text() for path in finished.glob("runs/alder/wardround-*/evaluate-site/report")]
    assert pages and "95 % interval" not in pages[0]


def test_no_image_or_shard_lies_among_the_artifacts(finished: Path) -> None:
    found = [path for path in (finished / "runs").rglob("*") if path.suffix in (".dcm", ".tfrecord", ".npz")]
    assert found == []
    assert list(finished.glob("work/alder/datasets/*/dataset.json"))
