"""Kubeflow Pipelines, as the tests see it: with the SDK that its users have."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import kfp
from components.images import image
from kfp import dsl
from tests.cluster.shell import pods

STEPS = ("preprocess", "train", "evaluate", "aggregate")
ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")


@dataclass(frozen=True)
class Run:
    """A run in a namespace."""

    namespace: str
    run_id: str


def client(url: str, namespace: str, token: str) -> kfp.Client:
    """One account's view of one namespace."""
    return kfp.Client(url, existing_token=token, namespace=namespace)


def wait(view: Callable[[str], kfp.Client], runs: Sequence[Run], seconds: float) -> dict[str, str]:
    """How runs ended, by namespace, of which `view` gives a client. Raises AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    clients = {run.namespace: view(run.namespace) for run in runs}
    states: dict[str, str] = {}
    while len(states) < len(runs):
        for run in runs:
            state = clients[run.namespace].get_run(run.run_id).state
            if state in ENDED:
                states[run.namespace] = state
        assert time.monotonic() < end, f"after {seconds:g} s only {states} of {runs}"
        time.sleep(1)
    return states


def run_pods(run: Run) -> list[dict[str, Any]]:
    """All pods of a run."""
    return list(pods(run.namespace, f"pipeline/runid={run.run_id}"))


def step_pods(run: Run, step: str) -> list[dict[str, Any]]:
    """The pods of a run in which a component's own container runs."""
    return [pod for pod in run_pods(run) if _main(pod) and _component(pod) == step]


def _main(pod: dict[str, Any]) -> bool:
    return any("--executor-input" in json.dumps(each.get("args", "")) for each in pod["spec"]["containers"])


def _component(pod: dict[str, Any]) -> str:
    return str(pod["metadata"].get("labels", {}).get("app.kubernetes.io/component", ""))


def timeline(run: Run) -> list[dict[str, Any]]:
    """When each container of a run's pods started and ended, in order."""
    found = [
        {"pod": pod["metadata"]["name"], "step": _component(pod), "container": each["name"], **_times(each)}
        for pod in run_pods(run)
        for each in pod["status"].get("containerStatuses", [])
    ]
    return sorted(found, key=lambda each: str(each["started"]))


def _times(status: dict[str, Any]) -> dict[str, str]:
    ended = status.get("state", {}).get("terminated", {})
    return {"started": ended.get("startedAt", ""), "ended": ended.get("finishedAt", "")}


@dsl.container_component
def script_step(script: str, wishes: str, findings: dsl.Output[dsl.Artifact]):  # type: ignore[no-untyped-def]
    """A step that runs a script of the tests in Wardround's own image."""
    return dsl.ContainerSpec(
        image=image("preprocess"), command=["python", "-c", script], args=[findings.path, wishes]
    )
