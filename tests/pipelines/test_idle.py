"""A hospital's pipeline when no run is open: every step succeeds at once and does nothing."""

import json
from pathlib import Path
from typing import Any

from wardround.exchange.envelope import SigningKey
from wardround.local.kfp_runner import run_pipeline

COMPILED = Path(__file__).parents[2] / "pipelines" / "compiled"


def test_without_an_open_run_a_hospitals_pipeline_ends_well_and_says_that_it_was_idle(tmp_path: Path) -> None:
    SigningKey.generate().save(tmp_path / "key.pem")
    arguments: dict[str, Any] = {
        "wait_for_run_seconds": 0.01,
        "federation": "ward",
        "site": "alder",
        "exchange_address": str(tmp_path / "exchange"),
        "coordinator_public_key": SigningKey.generate().public.text,
        "signing_key_file": str(tmp_path / "key.pem"),
        "dicom_folder_or_archive_url": str(tmp_path),
        "labels_csv_file": str(tmp_path / "labels.csv"),
        "work_folder": str(tmp_path / "work"),
        "settings_file": "",
    }
    lines: list[str] = []
    run_pipeline(COMPILED / "site.yaml", arguments, tmp_path / "root", lines.append)
    done = [line for line in lines if line.endswith(": done")]
    assert done == ["site-preprocess: done", "site-train: done", "site-evaluate: done"]
    (train,) = tmp_path.glob("root/wardround-site-*/train")
    assert (train / "status").read_text() == "idle"
    shown = json.loads((train / "executor_output.json").read_text())["artifacts"]["metrics"]["artifacts"][0]
    assert shown["metadata"]["rounds_answered"] == 0
    (report,) = tmp_path.glob("root/wardround-site-*/evaluate-site/report")
    assert "No run was open" in report.read_text()
    assert not [*tmp_path.glob("work/datasets/*")]
