"""The models of one run in MLflow, found by their tags, so that nothing is kept twice.

A round's entry is a logged model (weights, metrics, lineage) and a model version that names it. The version
is created last: a round that has one is complete, and a logged model without one is finished, not doubled.
"""

from collections.abc import Mapping

import mlflow
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput
from mlflow.entities.model_registry import ModelVersion

from wardround.errors import ConfigurationError
from wardround.registry.records import RunRecord

_PAGE = 500


class Entries:
    """Round → logged model and model version of one run."""

    def __init__(
        self, client: MlflowClient, name: str, experiment_id: str, run_id: str, run: RunRecord
    ) -> None:
        self._client = client
        self._name = name
        self._experiment_id = experiment_id
        self._run_id = run_id
        self._identity = run.identity()
        self._tags = run.tags()
        self._versions: dict[int, str] = {}
        self._models: dict[int, LoggedModel] = {}
        self._linked: set[str] = set()

    def look(self) -> None:
        """Find out what the server has."""
        wanted = tag_filter(self._identity)
        versions = self._search(f"name = '{self._name}' AND {wanted}")
        self._versions = {int(version.tags["round"]): str(version.version) for version in versions}
        found = self._client.search_logged_models(
            [self._experiment_id], filter_string=wanted, max_results=_PAGE
        )
        models = list(found)
        while found.token:
            found = self._client.search_logged_models(
                [self._experiment_id], filter_string=wanted, max_results=_PAGE, page_token=found.token
            )
            models += found
        self._models = {int(model.tags["round"]): model for model in models}
        outputs = self._client.get_run(self._run_id).outputs
        self._linked = {output.model_id for output in outputs.model_outputs} if outputs else set()

    def version(self, round: int) -> str | None:
        """The version of a round that is complete."""
        return self._versions.get(round)

    def model_id(self, round: int) -> str | None:
        """The logged model of a round, complete or not."""
        return self._models[round].model_id if round in self._models else None

    def model(self, round: int) -> LoggedModel:
        """The logged model of a round: the one that is there, or a new one."""
        if round not in self._models:
            self._models[round] = self._client.create_logged_model(
                self._experiment_id,
                name=f"round-{round:06d}",
                source_run_id=self._run_id,
                tags=self._round(round),
            )
        return self._models[round]

    def complete(self, round: int) -> str:
        """Turn the round's logged model, whose files are there, into a model version; returns its number."""
        model_id = self._models[round].model_id
        self._client.finalize_logged_model(model_id, "READY")
        self._link(model_id, round)
        # A database, unlike a server, looks the model up at the address that the whole process uses.
        mlflow.set_tracking_uri(self._client.tracking_uri)
        made = self._client.create_model_version(
            self._name,
            f"models:/{model_id}",
            self._run_id,
            tags=self._round(round),
            model_id=model_id,
            await_creation_for=0,
        )
        self._versions[round] = str(made.version)
        return self._versions[round]

    def _link(self, model_id: str, round: int) -> None:
        """Name the model among the run's outputs, which MLflow refuses to do twice."""
        if model_id not in self._linked:
            self._client.log_outputs(self._run_id, [LoggedModelOutput(model_id, step=round)])
            self._linked.add(model_id)

    def _round(self, round: int) -> dict[str, str]:
        return {**self._tags, "round": str(round)}

    def _search(self, wanted: str) -> list[ModelVersion]:
        found = self._client.search_model_versions(wanted, max_results=_PAGE)
        versions = list(found)
        while found.token:
            found = self._client.search_model_versions(wanted, max_results=_PAGE, page_token=found.token)
            versions += found
        return versions


def tag_filter(tags: Mapping[str, str]) -> str:
    """MLflow's search expression for all of these tags.

    Raises:
        ConfigurationError: a value that cannot be quoted there.
    """
    for name, value in tags.items():
        if "'" in value:
            raise ConfigurationError(f"{name} {value!r} holds a quote; use letters, digits and '-'")
    return " AND ".join(f"tags.{name} = '{value}'" for name, value in tags.items())
