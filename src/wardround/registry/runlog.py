"""One run in the registry: its rounds, its curves, its best model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from wardround.registry.entries import Entries
from wardround.registry.errors import RegistryError
from wardround.registry.folder import ModelFolders
from wardround.registry.points import Points
from wardround.registry.records import Merit, RoundRecord, Weights
from wardround.registry.retrying import Patience

T = TypeVar("T")

CHAMPION = "champion"

Status = Literal["FINISHED", "FAILED", "KILLED"]


@dataclass(frozen=True)
class Desk:
    """What a run is logged with."""

    client: MlflowClient
    model_name: str
    run_id: str
    entries: Entries
    points: Points
    folders: ModelFolders
    patience: Patience


class RunLog:
    """Made by `Registry.open_run`. Every call may be made again, by this process or by its successor: what is
    there is kept, what was left half-done is finished. Not thread-safe.

    All methods raise RegistryError once patience with the server has ended.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._unsure = False

    @property
    def run_id(self) -> str:
        """MLflow's name of the run."""
        return self._desk.run_id

    def log_round(self, record: RoundRecord) -> str | None:
        """Keep a closed round; returns its model version, None for a round that made no model."""
        return self._surely(f"keep round {record.round}", lambda: self._keep(record))

    def log_metrics(self, round: int, metrics: Mapping[str, float]) -> None:
        """Add points to the curves at `round`: what is measured of a model after its round was closed."""
        desk = self._desk
        model_id = desk.entries.model_id(round)
        self._surely(f"keep metrics of round {round}", lambda: desk.points.log(round, metrics, model_id))

    def set_champion(self, round: int, merit: Merit) -> None:
        """Make a round's model the one that `models:/NAME@champion` means, unless that is a better one already.

        Whoever uses the champion gets the best model of all runs, and not the first steps of the newest. A champion of
        which this measure is not known makes way. The merit stays with the version as a tag, named as the measure.

        Raises:
            RegistryError: also where the round has no model version.
        """
        version = self._desk.entries.version(round)
        if version is None:
            raise RegistryError(f"round {round} has no model version to be champion; log the round first")
        self._surely("set the champion", lambda: self._crown(version, merit))

    def finish(self, status: Status) -> None:
        """Close the run in MLflow. Opening it again reopens it."""
        self._surely("close the run", lambda: self._desk.client.set_terminated(self.run_id, status))

    def _surely(self, what: str, step: Callable[[], T]) -> T:
        """Run a step with patience, asking the server what it has after a step that broke off."""

        def attempt() -> T:
            if self._unsure:
                self._desk.entries.look()
                self._desk.points.forget()
            self._unsure = True
            result = step()
            self._unsure = False
            return result

        return self._desk.patience.call(what, attempt)

    def _keep(self, record: RoundRecord) -> str | None:
        """The version comes last: it says that the rest is there."""
        entries = self._desk.entries
        version = entries.version(record.round)
        if version is None:
            if record.weights is not None:
                self._upload(record.round, record.weights)
            self._log_outcome(record)
        self._desk.points.log(record.round, record.metrics, entries.model_id(record.round))
        if version is None and record.weights is not None:
            version = entries.complete(record.round)
        return version

    def _upload(self, round: int, weights: Weights) -> None:
        model = self._desk.entries.model(round)
        folder = self._desk.folders.write(
            weights, model_id=model.model_id, run_id=self.run_id, location=model.artifact_location
        )
        self._desk.client.log_model_artifacts(model.model_id, str(folder))

    def _log_outcome(self, record: RoundRecord) -> None:
        name = f"rounds/{record.round:06d}/outcome.json"
        self._desk.client.log_text(self.run_id, record.outcome.decode(), name)

    def _crown(self, version: str, merit: Merit) -> None:
        client, name = self._desk.client, self._desk.model_name
        client.set_model_version_tag(name, version, merit.measure, repr(merit.value))
        champion = self._champion()
        known = None if champion is None else _number(champion.tags.get(merit.measure))
        if known is None or not merit.is_less_than(known):
            client.set_registered_model_alias(name, CHAMPION, version)

    def _champion(self) -> ModelVersion | None:
        try:
            return self._desk.client.get_model_version_by_alias(self._desk.model_name, CHAMPION)
        except MlflowException as error:
            # MLflow answers INVALID_PARAMETER_VALUE where no model has that alias yet.
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            return None


def _number(tag: str | None) -> float | None:
    """A tag's number; None for one that people have made something else of."""
    try:
        return None if tag is None else float(tag)
    except ValueError:
        return None
