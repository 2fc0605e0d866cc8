"""What the registry holds after a run, after a coordinator that was killed, and after one that was started twice."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from federation import FEDERATION, SITES, Federation
from killing import Deaths

from wardround.coordinator.history import measured
from wardround.exchange.messages import OutcomeMessage

pytest.importorskip("mlflow", reason="the registry's extra is not installed")


def versions(uri: str) -> dict[str, dict[str, str]]:
    """Version → tags of every model version."""
    from mlflow import MlflowClient

    client = MlflowClient(uri, uri)
    return {v.version: dict(v.tags) for v in client.search_model_versions("name = 'tiny'")}


def test_every_round_is_one_model_version_also_after_a_restart(
    federation: Federation, tmp_path: Path
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    versions(uri)  # makes the tables: MLflow cannot go on with a SQLite file whose making was cut off
    federation.changes = {"tracking_uri": uri}
    sites = [federation.start_site(site) for site in SITES]
    outcome = federation.view.channel.where(OutcomeMessage, 2)
    deaths = Deaths(tmp_path / "deaths", f"after put wardround-{FEDERATION}/{outcome}")
    assert federation.start_coordinator(deaths).wait() == -9
    assert federation.start_coordinator().wait() == 0
    assert [site.wait() for site in sites] == [0, 0, 0]
    kept = versions(uri)
    assert sorted(tags["round"] for tags in kept.values()) == ["1", "2"]
    assert federation.start_coordinator().wait() == 0
    assert versions(uri) == kept


def test_a_model_is_kept_with_its_own_metrics_and_predicts(federation: Federation, tmp_path: Path) -> None:
    from mlflow import MlflowClient, pyfunc, set_tracking_uri

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    federation.changes = {"tracking_uri": uri}
    assert [actor.wait() for actor in federation.start_all()] == [0, 0, 0, 0]
    client = MlflowClient(uri, uri)
    (run,) = client.search_runs([client.get_experiment_by_name(FEDERATION).experiment_id])
    assert run.info.status == "FINISHED"
    curve = {point.step: point.value for point in client.get_metric_history(run.info.run_id, "val_auroc")}
    outcomes = federation.outcomes()
    assert curve == {outcome.model: measured(outcome, "val_auc") for outcome in outcomes[1:]}
    assert "site/alder/val_auroc" in run.data.metrics and "train_loss" in run.data.metrics
    set_tracking_uri(uri)
    images = np.full((3, 8, 8, 1), 0.5, np.float32)
    scores = np.asarray(pyfunc.load_model("models:/tiny@champion").predict(images))
    assert scores.shape == (3, 2) and np.allclose(scores.sum(axis=1), 1, atol=1e-5)


def test_a_registry_that_fails_holds_no_round_up_and_is_reported_at_the_end(
    federation: Federation, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "mlflow.db") as foreign:
        foreign.execute("CREATE TABLE experiments (something_else TEXT)")
    federation.changes = {"tracking_uri": f"sqlite:///{tmp_path}/mlflow.db", "registry_outage_s": 1}
    coordinator, *sites = federation.start_all()
    assert [site.wait() for site in sites] == [0, 0, 0]
    assert coordinator.wait(300) == 1
    assert "the registry failed, rounds go on without it" in coordinator.text()
    assert [outcome.status for outcome in federation.outcomes()] == ["completed", "completed", "evaluated"]
