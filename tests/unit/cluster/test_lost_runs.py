"""Which workflows ended because the cluster took a pod away. `tests/cluster/test_kills.py` takes real ones away."""

from typing import Any

import pytest

from wardround.cluster.workflows import LostRun, lost_run

RUN = "2f0a5d2e-9b0c-4c67-8f7d-0d9c3c1d2b11"


def workflow(*pods: tuple[str, str], **spec: Any) -> dict[str, Any]:
    """A workflow whose pods ended so, one after the other: (phase, message)."""
    nodes = {
        f"n{number}": {
            "type": "Pod",
            "phase": phase,
            "message": message,
            "displayName": f"step-{number}",
            "finishedAt": f"2026-03-01T10:{number:02}:00Z",
        }
        for number, (phase, message) in enumerate(pods)
    }
    nodes["root"] = {"type": "DAG", "phase": "Error", "finishedAt": "2026-03-01T11:00:00Z"}
    return {
        "metadata": {"name": "wardround-site-x7k2p", "labels": {"pipeline/runid": RUN}},
        "spec": spec,
        "status": {"nodes": nodes},
    }


def test_a_run_whose_pod_was_deleted_is_lost_at_that_step() -> None:
    found = lost_run(workflow(("Succeeded", ""), ("Error", "pod deleted")))
    assert found == LostRun(RUN, "wardround-site-x7k2p", "step-1", "pod deleted")


def test_a_step_that_failed_once_and_was_deleted_at_its_second_try_is_lost() -> None:
    assert lost_run(workflow(("Failed", "exit code 1"), ("Error", "pod deleted"))) is not None


@pytest.mark.parametrize(
    "ended",
    [
        workflow(("Succeeded", ""), ("Failed", "exit code 1")),
        workflow(("Error", "pod deleted"), ("Failed", "exit code 1")),
        workflow(("Error", "pod deleted"), shutdown="Terminate"),
        workflow(("Error", "pod deleted"), activeDeadlineSeconds=0),
        workflow(("Succeeded", "")),
        {"metadata": {"name": "wardround-site-old", "labels": {"pipeline/runid": RUN}}},
        {"metadata": {"name": "wardround-site-by-hand"}, "status": workflow(("Error", ""))["status"]},
    ],
    ids=[
        "failed",
        "failed-at-last",
        "terminated",
        "ended-in-the-ui",
        "no-pod-ended-badly",
        "no-nodes",
        "no-run",
    ],
)
def test_a_run_that_failed_by_itself_or_was_ended_by_a_person_is_not_lost(ended: dict[str, Any]) -> None:
    assert lost_run(ended) is None
