"""Which of Kubeflow's runs play a part in one of ours."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from wardround.coordinator.settle import short_id
from wardround.kubeflow.client import Kubeflow

_LATEST = 500


@dataclass(frozen=True)
class KubeflowRun:
    """One run in Kubeflow, with its state there and the address of its page."""

    name: str
    run_id: str
    state: str
    link: str


def find_runs(kubeflow: Kubeflow, federation: str, run: str) -> list[KubeflowRun]:
    """The newest first, of the last 500 in this namespace. Raises KubeflowError."""
    api = kubeflow.runs.run_service_list_runs
    every: Iterator[Any] = kubeflow.pages(
        "list runs", api, "runs", namespace=kubeflow.namespace, sort_by="created_at desc"
    )
    return [
        KubeflowRun(each.display_name, each.run_id, str(each.state), kubeflow.link(each.run_id))
        for each in islice(every, _LATEST)
        if _belongs(each, federation, run)
    ]


def _belongs(each: Any, federation: str, run: str) -> bool:
    """By its name, by its parameter, or because our run was named after its id (`coordinator.settle`)."""
    settings = each.runtime_config.parameters if each.runtime_config else None
    return bool(
        each.display_name.startswith(f"{federation}/{run}/")
        or (settings or {}).get("run") == run
        or short_id(each.run_id) == run.rpartition("-")[2]
    )
