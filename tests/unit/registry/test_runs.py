"""A run's rounds in a real MLflow database: kept once, whatever was interrupted."""

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from registry_cases import NAME, expected_scores, keep_best, record_of, weights_of

from wardround.errors import ConfigurationError
from wardround.registry.connection import Registry
from wardround.registry.errors import RegistryError
from wardround.registry.predictor import PredictGraph
from wardround.registry.records import Merit, RoundRecord, RunRecord

Connect = Callable[..., Registry]


def predict(uri: str, model: str, images: np.ndarray) -> np.ndarray:
    mlflow.set_tracking_uri(uri)
    return mlflow.pyfunc.load_model(f"models:/{model}").predict(images)


def images_of(count: int) -> np.ndarray:
    return np.random.default_rng(count).uniform(size=(count, 8, 8, 1)).astype(np.float32)


def test_every_round_is_a_version_that_predicts_as_its_own_weights_do(
    connect: Connect, run: RunRecord, graph: PredictGraph, uri: str
) -> None:
    log = connect().open_run(run, graph)
    versions = [log.log_round(record_of(round)) for round in (1, 2, 3)]
    assert versions == ["1", "2", "3"]
    for version, round in zip(versions, (1, 2, 3), strict=True):
        scores = predict(uri, f"{NAME}/{version}", images_of(5))
        assert scores == pytest.approx(expected_scores(graph, weights_of(round), images_of(5)), abs=1e-6)
        assert scores.dtype == np.float32


def test_a_version_says_where_it_comes_from(
    connect: Connect, run: RunRecord, graph: PredictGraph, uri: str
) -> None:
    log = connect().open_run(run, graph)
    log.log_round(record_of(1))
    client = MlflowClient(uri)
    version = client.get_model_version(NAME, "1")
    assert version.tags == {"federation": "north", "run": "run-1", "plan_digest": "f" * 64, "round": "1"}
    assert version.run_id == log.run_id
    model = client.get_logged_model(version.source.removeprefix("models:/"))
    assert {metric.key: metric.value for metric in model.metrics}["val_auroc"] == pytest.approx(0.51)
    assert model.status == "READY"


def test_a_run_holds_the_recipe_the_curves_the_outcomes_and_the_plan(
    connect: Connect, run: RunRecord, graph: PredictGraph, uri: str, tmp_path: Path
) -> None:
    log = connect().open_run(run, graph)
    for round in (1, 2):
        log.log_round(record_of(round))
    log.log_metrics(2, {"test_auroc": 0.9})
    log.finish("FINISHED")
    client = MlflowClient(uri)
    entry = client.get_run(log.run_id)
    assert entry.data.params == {"algorithm.client.learning_rate": "0.02", "aggregation.secure": "True"}
    assert entry.info.status == "FINISHED"
    curve = client.get_metric_history(log.run_id, "train_loss")
    assert [(point.step, point.value) for point in curve] == [(1, 1.0), (2, 0.5)]
    outcome = client.download_artifacts(log.run_id, "rounds/000002/outcome.json", str(tmp_path))
    assert Path(outcome).read_bytes() == b'{"round":2}'
    assert "plan.json" in [item.path for item in client.list_artifacts(log.run_id)]


def test_files_lie_beside_the_database_and_not_in_the_folder_of_the_process(
    connect: Connect, run: RunRecord, graph: PredictGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    connect().open_run(run, graph).log_round(record_of(1))
    assert list(elsewhere.iterdir()) == []
    assert list((tmp_path / "artifacts").rglob("MLmodel"))


def test_a_failed_round_leaves_its_outcome_and_no_version(
    connect: Connect, run: RunRecord, graph: PredictGraph, uri: str
) -> None:
    log = connect().open_run(run, graph)
    assert log.log_round(record_of(1, failed=True)) is None
    client = MlflowClient(uri)
    assert client.search_model_versions(f"name = '{NAME}'") == []
    assert [item.path for item in client.list_artifacts(log.run_id, "rounds")] == ["rounds/000001"]
    with pytest.raises(RegistryError, match="no model version"):
        log.set_champion(1, Merit("val_auc", 0.9))


def test_the_champion_is_the_best_round_and_latest_is_the_last_one(
    connect: Connect, run: RunRecord, graph: PredictGraph, uri: str
) -> None:
    log = connect().open_run(run, graph)
    for round, merit in ((1, 0.7), (2, 0.9), (3, 0.8)):
        log.log_round(record_of(round))
        log.set_champion(round, Merit("val_auc", merit))
    for model, round in ((f"{NAME}@champion", 2), (f"{NAME}/latest", 3)):
        expected = expected_scores(graph, weights_of(round), images_of(2))
        assert predict(uri, model, images_of(2)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("merit", "winner"),
    [
        (Merit("val_auc", 0.89), "run-1"),
        (Merit("val_auc", 0.9), "run-2"),
        (Merit("val_loss", 7.0, more_is_better=False), "run-2"),
    ],
    ids=["worse", "as-good", "of-another-measure"],
)
def test_a_new_run_becomes_champion_with_a_model_that_is_no_worse(
    connect: Connect, run: RunRecord, graph: PredictGraph, uri: str, merit: Merit, winner: str
) -> None:
    first = connect().open_run(run, graph)
    first.log_round(record_of(1))
    first.set_champion(1, Merit("val_auc", 0.9))
    second = connect().open_run(replace(run, run="run-2"), graph)
    second.log_round(record_of(1))
    second.set_champion(1, merit)
    champion = MlflowClient(uri).get_model_version_by_alias(NAME, "champion")
    assert champion.tags["run"] == winner


def test_where_less_is_better_the_least_is_champion(
    connect: Connect, run: RunRecord, graph: PredictGraph, uri: str
) -> None:
    log = connect().open_run(run, graph)
    for round, loss in ((1, 0.5), (2, 0.1), (3, 0.3)):
        log.log_round(record_of(round))
        log.set_champion(round, Merit("val_loss", loss, more_is_better=False))
    champion = MlflowClient(uri).get_model_version_by_alias(NAME, "champion")
    assert (champion.tags["round"], champion.tags["val_loss"]) == ("2", "0.1")


def test_rounds_told_again_after_a_restart_change_nothing(
    connect: Connect, run: RunRecord, graph: PredictGraph, uri: str
) -> None:
    first = connect().open_run(run, graph)
    for round in (1, 2):
        keep_best(first, round)
    first.finish("KILLED")
    before = counts(uri, first.run_id)
    second = connect().open_run(run, graph)
    assert [keep_best(second, round) for round in (1, 2)] == ["1", "2"]
    assert second.run_id == first.run_id
    assert counts(uri, first.run_id) == before
    client = MlflowClient(uri)
    assert client.get_model_version_by_alias(NAME, "champion").tags["round"] == "2"
    assert client.get_run(first.run_id).info.status == "RUNNING"


WRITES = (
    "create_logged_model",
    "log_model_artifacts",
    "log_text",
    "log_batch",
    "finalize_logged_model",
    "log_outputs",
    "create_model_version",
    "set_model_version_tag",
    "set_registered_model_alias",
)


class KilledError(BaseException):
    """Stands for the end of the process: nothing in the registry may catch it."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", WRITES)
def test_a_round_broken_off_at_any_write_is_finished_by_the_next_process(
    connect: Connect,
    run: RunRecord,
    graph: PredictGraph,
    uri: str,
    monkeypatch: pytest.MonkeyPatch,
    write: str,
    after: bool,
) -> None:
    log = connect().open_run(run, graph)
    keep_best(log, 1)
    break_at(monkeypatch, write, after, KilledError())
    with pytest.raises(KilledError):
        keep_best(log, 2)
    monkeypatch.undo()
    again = connect().open_run(run, graph)
    for round in (1, 2, 3):
        keep_best(again, round)
    assert counts(uri, log.run_id) == {"versions": 3, "models": 3, "points": 9, "runs": 1}
    assert MlflowClient(uri).get_model_version_by_alias(NAME, "champion").tags["round"] == "3"
    expected = expected_scores(graph, weights_of(2), images_of(2))
    assert predict(uri, f"{NAME}/2", images_of(2)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("write", WRITES)
def test_a_request_that_was_taken_but_not_answered_is_not_made_twice(
    connect: Connect,
    run: RunRecord,
    graph: PredictGraph,
    uri: str,
    monkeypatch: pytest.MonkeyPatch,
    write: str,
) -> None:
    log = connect().open_run(run, graph)
    break_at(monkeypatch, write, True, MlflowException("the answer was lost"), times=1)
    keep_best(log, 1)
    assert counts(uri, log.run_id) == {"versions": 1, "models": 1, "points": 3, "runs": 1}


def test_a_server_that_stays_away_is_an_error_with_an_end(
    tmp_path: Path, run: RunRecord, graph: PredictGraph
) -> None:
    registry = Registry("http://127.0.0.1:9", NAME, "north", patience=0.5)
    with registry, pytest.raises(RegistryError, match=r"did not open the run within 0\.5 s") as error:
        registry.open_run(run, graph)
    assert error.value.code == "registry-unavailable"


def test_weights_of_another_model_are_refused_by_name(
    connect: Connect, run: RunRecord, graph: PredictGraph
) -> None:
    log = connect().open_run(run, graph)
    wrong = weights_of(1) | {"conv/bias": np.zeros(5, np.float32)}
    with pytest.raises(RegistryError, match=r"conv/bias has shape \(5,\), the plan says \(4,\)"):
        log.log_round(RoundRecord(1, {}, b"{}", wrong))
    with pytest.raises(RegistryError, match="dense/kernel"):
        log.log_round(
            RoundRecord(1, {}, b"{}", {k: v for k, v in weights_of(1).items() if k != "dense/kernel"})
        )


def test_a_run_of_the_same_name_with_another_plan_is_refused(
    connect: Connect, run: RunRecord, graph: PredictGraph
) -> None:
    connect().open_run(run, graph)
    other = RunRecord("north", "run-1", "0" * 64, {}, run.plan_file)
    with pytest.raises(RegistryError, match="start a run of another name"):
        connect().open_run(other, graph)


def test_a_recipe_of_more_parameters_than_one_request_takes_is_kept_whole(
    connect: Connect, run: RunRecord, graph: PredictGraph, uri: str
) -> None:
    parameters = {f"group.setting_{number}": number for number in range(230)}
    log = connect().open_run(RunRecord("north", "run-2", "f" * 64, parameters, run.plan_file), graph)
    assert len(MlflowClient(uri).get_run(log.run_id).data.params) == 230


@pytest.mark.parametrize("name", ["", "it's", "a/b", "x" * 201])
def test_names_that_cannot_be_searched_for_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="not legal"):
        Registry("sqlite:///x.db", name, "north")


def test_nothing_is_reported_to_anyone_outside() -> None:
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["DO_NOT_TRACK"] == "true"
    assert logging.getLogger("mlflow").level >= logging.ERROR


def counts(uri: str, run_id: str) -> dict[str, int]:
    client = MlflowClient(uri)
    experiment = client.get_run(run_id).info.experiment_id
    keys = client.get_run(run_id).data.metrics
    return {
        "versions": len(client.search_model_versions(f"name = '{NAME}'")),
        "models": len(client.search_logged_models([experiment])),
        "points": sum(len(client.get_metric_history(run_id, key)) for key in keys),
        "runs": len(client.search_runs([experiment])),
    }


def break_at(
    monkeypatch: pytest.MonkeyPatch, write: str, after: bool, error: BaseException, times: int | None = None
) -> None:
    """Let MLflow's client end with `error`, before or after it made a certain request."""
    genuine = getattr(MlflowClient, write)
    broken = 0

    def breaking(self: MlflowClient, *arguments: object, **named: object) -> object:
        nonlocal broken
        if broken == times:
            return genuine(self, *arguments, **named)
        broken += 1
        if after:
            genuine(self, *arguments, **named)
        raise error

    monkeypatch.setattr(MlflowClient, write, breaking)
