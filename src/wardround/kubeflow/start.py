"""Starting runs.

Runs are called `<federation>/<run>/<party>`. What a run was asked to do is in its description as a digest, so
that asking again for the same thing does nothing.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wardround.kubeflow.client import Kubeflow, named
from wardround.kubeflow.register import Version

NEWEST = "newest-open"
OURS = "Started by wardround; order "


@dataclass(frozen=True)
class Started:
    """A run in Kubeflow; `is_new`: whether this call started it."""

    run_id: str
    name: str
    link: str
    is_new: bool = True


@dataclass(frozen=True)
class Order:
    """What is to be started: `title` names it, `parameters` are those of the pipeline."""

    title: str
    experiment_id: str
    version: Version
    parameters: Mapping[str, Any]

    def digest(self, *more: object) -> str:
        """12 digits that follow from all of it, and from `more`."""
        content = [self.title, self.version.version_id, self.parameters, *more]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    def body(self, description: str) -> dict[str, Any]:
        """As the API takes it."""
        return {
            "display_name": self.title,
            "description": description,
            "experiment_id": self.experiment_id,
            "pipeline_version_reference": self.version.reference(),
            "runtime_config": {"parameters": dict(self.parameters)},
        }


def run_title(federation: str, run: str, party: str) -> str:
    """What a run is called in Kubeflow; without a run's name it is the one that takes the newest open run."""
    return "/".join((federation or "wardround", run or NEWEST, party))


def start(kubeflow: Kubeflow, order: Order) -> Started:
    """Starts a run. Raises KubeflowError."""
    body = order.body(describe(order.digest()))
    run = kubeflow.call(f"start run {order.title}", kubeflow.runs.run_service_create_run, body)
    return Started(run.run_id, order.title, kubeflow.link(run.run_id))


def start_once(kubeflow: Kubeflow, order: Order) -> Started:
    """Starts a run unless the same order was started before, and has not failed."""
    wanted = describe(order.digest())
    for run in list_runs(kubeflow, order.experiment_id, order.title):
        if run.description == wanted and run.state not in ("FAILED", "CANCELED"):
            return Started(run.run_id, order.title, kubeflow.link(run.run_id), is_new=False)
    return start(kubeflow, order)


def list_runs(kubeflow: Kubeflow, experiment_id: str, title: str | None = None) -> Iterator[Any]:
    """The runs of an experiment; those of one name if a title is given."""
    api = kubeflow.runs.run_service_list_runs
    chosen = named(title) if title is not None else None
    return kubeflow.pages("list runs", api, "runs", experiment_id=experiment_id, filter=chosen)


def describe(digest: str) -> str:
    """The description of what was started with an order of this digest."""
    return f"{OURS}{digest}"
