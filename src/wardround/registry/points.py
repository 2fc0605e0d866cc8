"""The points of a run's curves, each logged once."""

import time
from collections.abc import Mapping

from mlflow import MlflowClient
from mlflow.entities import Metric

# MLflow's own limit for one request.
_AT_ONCE = 1000


class Points:
    """Knows which steps each curve of one MLflow run has. A new run is known to have none."""

    def __init__(self, client: MlflowClient, run_id: str, *, new: bool) -> None:
        self._client = client
        self._run_id = run_id
        self._new = new
        self._steps: dict[str, set[int]] = {}

    def log(self, round: int, metrics: Mapping[str, float], model_id: str | None) -> None:
        """Add the points that are missing, to the run and, where there is one, to the round's model."""
        now = time.time_ns() // 1_000_000
        missing = [name for name in metrics if round not in self._known(name)]
        for start in range(0, len(missing), _AT_ONCE):
            part = missing[start : start + _AT_ONCE]
            points = [
                Metric(name, float(metrics[name]), now, round, model_id=model_id, run_id=self._run_id)
                for name in part
            ]
            self._client.log_batch(self._run_id, metrics=points)
            for name in part:
                self._steps[name].add(round)

    def forget(self) -> None:
        """Ask the server again: what it took of the last request is unknown."""
        self._new = False
        self._steps.clear()

    def _known(self, name: str) -> set[int]:
        if name not in self._steps:
            history = [] if self._new else self._client.get_metric_history(self._run_id, name)
            self._steps[name] = {point.step for point in history}
        return self._steps[name]
