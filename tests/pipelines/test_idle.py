"""A hospital's pipeline with nothing to do: every step succeeds at once, and the run's page says why."""

import json
from pathlib import Path
from typing import Any

import pytest

from wardround.exchange.directory import DirectoryExchange
from wardround.exchange.envelope import SigningKey
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.exchange.messages import DeclinedMessage, FederationMessage, RunMessage
from wardround.exchange.records import Channel, Peer
from wardround.local.kfp_runner import run_pipeline
from wardround.plan.format import load_plan
from wardround.plan_store import publish_plan

COMPILED = Path(__file__).parents[2] / "pipelines" / "compiled"
SITE, LAYOUT = "alder", Layout("ward")


@pytest.fixture(autouse=True)
def _no_verifying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARDROUND_SITE_VERIFY", "never")


def run_site(folder: Path, coordinator: SigningKey) -> Path:
    """Runs the hospital's pipeline; returns the folder of its steps."""
    arguments: dict[str, Any] = {
        "wait_for_run_seconds": 0.01,
        "federation": "ward",
        "site": SITE,
        "exchange_address": str(folder / "exchange"),
        "coordinator_public_key": coordinator.public.text,
        "signing_key_file": str(folder / "key.pem"),
        "dicom_folder_or_archive_url": str(folder),
        "labels_csv_file": str(folder / "labels.csv"),
        "work_folder": str(folder / "work"),
        "settings_file": "",
    }
    lines: list[str] = []
    run_pipeline(COMPILED / "site.yaml", arguments, folder / "root", lines.append)
    done = [line for line in lines if line.endswith(": done")]
    assert done == [f"site-{step}: done" for step in ("verify", "preprocess", "train", "evaluate")]
    (steps,) = folder.glob("root/wardround-site-*")
    return steps


def shown(step: Path) -> dict[str, Any]:
    """What Kubeflow's page shows of a step's metrics."""
    made = json.loads((step / "executor_output.json").read_text())["artifacts"]
    return dict(made["metrics"]["artifacts"][0]["metadata"])


def test_without_an_open_run_a_hospitals_pipeline_ends_well_and_says_that_it_was_idle(tmp_path: Path) -> None:
    SigningKey.generate().save(tmp_path / "key.pem")
    steps = run_site(tmp_path, SigningKey.generate())
    assert (steps / "train" / "status").read_text() == "idle"
    assert shown(steps / "train")["rounds_answered"] == 0
    assert "no run was open" in shown(steps / "train")["idle"]
    assert "no run was open" in (steps / "evaluate-site" / "report").read_text()
    assert not [*tmp_path.glob("work/datasets/*")]


def test_with_a_plan_that_is_not_approved_it_ends_well_and_says_which_one_to_approve(
    tmp_path: Path, plan_folder: Path
) -> None:
    coordinator, site, plan = SigningKey.generate(), SigningKey.generate(), load_plan(plan_folder)
    site.save(tmp_path / "key.pem")
    open_run(tmp_path, coordinator, site, plan_folder)
    steps = run_site(tmp_path, coordinator)
    assert (steps / "train" / "status").read_text() == "declined"
    words = f"not approved; approve with wardround site approve {plan.digest}"
    for step in ("train", "evaluate-site"):
        assert shown(steps / step)["declined"] == words
    assert words in (steps / "evaluate-site" / "report").read_text()
    assert not [*tmp_path.glob("work/datasets/*")]
    told = Channel("ward", "first", COORDINATOR, coordinator, plan.digest)
    own = DirectoryExchange(tmp_path / "exchange").store(LAYOUT.site(SITE))
    assert told.read(own, DeclinedMessage, Peer(SITE, site.public)).message.code == "not-approved"


def open_run(folder: Path, coordinator: SigningKey, site: SigningKey, plan_folder: Path) -> None:
    """What the coordinator does before the first round."""
    exchange, plan = DirectoryExchange(folder / "exchange"), load_plan(plan_folder)
    for bucket in (LAYOUT.federation, LAYOUT.site(SITE)):
        exchange.create_bucket(bucket)
    shared, members = exchange.store(LAYOUT.federation), {SITE: site.public.text}
    publish_plan(shared, plan)
    channel = Channel("ward", "first", COORDINATOR, coordinator, plan.digest)
    channel.write(
        shared, FederationMessage(name="ward", coordinator=coordinator.public.text, members=members)
    )
    message = RunMessage(
        plan_digest=plan.digest,
        epoch=1,
        rounds=2,
        quorum=2,
        deadline_s=1,
        join_deadline_s=1,
        evaluate_every=1,
        seed=1,
        started="2026-05-01T10:00:00+00:00",
    )
    channel.write(shared, message)
