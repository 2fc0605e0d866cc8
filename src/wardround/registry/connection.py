"""The registry itself: an MLflow server or database, one experiment, one registered model."""

import re
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.entities import Param, Run
from mlflow.exceptions import MlflowException

from wardround.errors import ConfigurationError
from wardround.registry.database import make_database
from wardround.registry.entries import Entries, tag_filter
from wardround.registry.errors import RegistryError
from wardround.registry.folder import ModelFolders
from wardround.registry.points import Points
from wardround.registry.predictor import PredictGraph
from wardround.registry.records import RunRecord
from wardround.registry.retrying import Patience
from wardround.registry.runlog import Desk, RunLog
from wardround.registry.sqlite_address import database_file

PATIENCE_SECONDS = 120.0
# MLflow's own limits: parameters in one request, characters in one value.
_PARAMETERS_AT_ONCE = 100
_LONGEST_VALUE = 6000


class Registry:
    """Where models are kept.

    A context manager: its working files live until the end of the block.

    Args:
        tracking_uri: `http(s)://…` or `sqlite:///…`.
        model_name: of the registered model: `models:/NAME@champion` is its best round, `models:/NAME/latest`
            its last one (MLflow reserves that word: `latest` cannot be set as an alias).
        experiment: of the runs; made where missing.
        artifact_location: of a new experiment's files. None leaves it to a server, and puts it beside a
            database: MLflow's default there is the folder that the process happens to run in.
        patience: seconds for which every call tries again while the server is away.
        stop: ends patience when set.

    Raises:
        ConfigurationError: a name that MLflow cannot search for.
    """

    def __init__(
        self,
        tracking_uri: str,
        model_name: str,
        experiment: str,
        *,
        artifact_location: str | None = None,
        patience: float = PATIENCE_SECONDS,
        stop: threading.Event | None = None,
    ) -> None:
        for what, name in (("model", model_name), ("experiment", experiment)):
            if not re.fullmatch(r"[\w.-]{1,200}", name):
                raise ConfigurationError(f"{what} name {name!r} is not legal; use letters, digits, ._-")
        self._uri = tracking_uri
        self._name = model_name
        self._experiment = experiment
        self._location = artifact_location or _beside_database(tracking_uri)
        self._patience = Patience(patience, stop)
        self._work = TemporaryDirectory(prefix="wardround-registry-")

    def __enter__(self) -> "Registry":
        return self

    def __exit__(self, *_: object) -> None:
        self._work.cleanup()

    def open_run(self, run: RunRecord, graph: PredictGraph) -> RunLog:
        """Open a run, or go on with it where it was opened before.

        Raises:
            RegistryError: MLflow stayed away, refused, or holds the run with other parameters.
        """
        folders = ModelFolders(graph, Path(self._work.name))
        return self._patience.call("open the run", lambda: self._open(run, folders))

    def _open(self, run: RunRecord, folders: ModelFolders) -> RunLog:
        make_database(self._uri)
        client = MlflowClient(self._uri, self._uri)
        experiment_id = self._find_experiment(client)
        self._find_model(client)
        entry, new = _find_run(client, experiment_id, run)
        if new or entry.info.status != "RUNNING":
            client.update_run(entry.info.run_id, "RUNNING")
        _log_parameters(client, entry, run)
        client.log_artifact(entry.info.run_id, str(run.plan_file))
        entries = Entries(client, self._name, experiment_id, entry.info.run_id, run)
        if not new:
            entries.look()
        points = Points(client, entry.info.run_id, new=new)
        return RunLog(Desk(client, self._name, entry.info.run_id, entries, points, folders, self._patience))

    def _find_experiment(self, client: MlflowClient) -> str:
        found = client.get_experiment_by_name(self._experiment)
        if found is not None:
            return str(found.experiment_id)
        # MLflow's pages show training runs first where an experiment says that it is about a model, not about agents.
        kind = {"mlflow.experimentKind": "custom_model_development"}
        return str(client.create_experiment(self._experiment, artifact_location=self._location, tags=kind))

    def _find_model(self, client: MlflowClient) -> None:
        try:
            client.create_registered_model(
                self._name, description="Trained by a federation; one version a round."
            )
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def _find_run(client: MlflowClient, experiment_id: str, run: RunRecord) -> tuple[Run, bool]:
    """The run with this identity, and whether it is new."""
    found = client.search_runs([experiment_id], filter_string=tag_filter(run.identity()), max_results=1)
    if found:
        return _same_plan(found[0], run), False
    return client.create_run(experiment_id, tags=run.tags(), run_name=f"{run.federation} {run.run}"), True


def _same_plan(entry: Run, run: RunRecord) -> Run:
    if entry.data.tags["plan_digest"] != run.plan_digest:
        raise RegistryError(
            f"run {run.run} is in MLflow with plan {entry.data.tags['plan_digest']}, not {run.plan_digest}; "
            "start a run of another name",
            code="registry-refused",
        )
    return entry


def _log_parameters(client: MlflowClient, entry: Run, run: RunRecord) -> None:
    """Those that are missing; MLflow refuses another value for one that is there."""
    known = entry.data.params
    texts = {name: str(value)[:_LONGEST_VALUE] for name, value in run.parameters.items()}
    missing = [Param(name, text) for name, text in texts.items() if known.get(name) != text]
    for start in range(0, len(missing), _PARAMETERS_AT_ONCE):
        client.log_batch(entry.info.run_id, params=missing[start : start + _PARAMETERS_AT_ONCE])


def _beside_database(tracking_uri: str) -> str | None:
    """`artifacts` in the folder of a SQLite file, as an address; None for a server."""
    database = database_file(tracking_uri)
    return (database.parent / "artifacts").as_uri() if database else None
