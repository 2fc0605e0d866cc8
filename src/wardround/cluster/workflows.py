"""Runs that ended because the cluster took a pod away, and not because a step failed.

Argo gives a step whose container failed the phase Failed, and one whose pod was deleted (a node was drained, the pod
was preempted) the phase Error. Kubeflow's retries are of the first kind alone: its compiler writes no `retryPolicy`,
and Argo's default for that is `OnFailure`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kubernetes import client

from wardround.cluster.connect import TIMEOUT_SECONDS, Cluster, translated

_PAGE = 20  # a workflow is some 100 kB
_ENDED_BADLY = "workflows.argoproj.io/completed=true,workflows.argoproj.io/phase in (Failed,Error)"
_RUN_LABEL = "pipeline/runid"


@dataclass(frozen=True)
class LostRun:
    """A run of Kubeflow's whose step `step` was lost; `message` is Argo's."""

    run_id: str
    workflow: str
    step: str
    message: str


def lost_runs(cluster: Cluster, pipelines: tuple[str, ...], within_s: float) -> Iterator[LostRun]:
    """Those of these pipelines in the cluster's namespace that ended in the last `within_s` seconds.

    Raises ClusterError.
    """
    since = datetime.now(UTC) - timedelta(seconds=within_s)
    for workflow in _ended_badly(cluster):
        name, status = workflow["metadata"]["name"], workflow.get("status", {})
        ours = any(name.startswith(f"{pipeline}-") for pipeline in pipelines)
        if ours and datetime.fromisoformat(status["finishedAt"]) >= since:
            found = lost_run(workflow)
            if found is not None:
                yield found


def lost_run(workflow: Mapping[str, Any]) -> LostRun | None:
    """What the workflow's last pod that ended badly tells: None if it failed by itself, or a person ended the run."""
    metadata, spec = workflow["metadata"], workflow.get("spec", {})
    run_id = metadata.get("labels", {}).get(_RUN_LABEL)
    if run_id is None or spec.get("shutdown") or spec.get("activeDeadlineSeconds") == 0:
        return None
    nodes = (workflow.get("status", {}).get("nodes") or {}).values()
    bad = [node for node in nodes if node.get("type") == "Pod" and node.get("phase") in ("Failed", "Error")]
    if not bad:
        return None
    last = max(bad, key=lambda node: node.get("finishedAt") or "")
    if last["phase"] != "Error":
        return None
    return LostRun(run_id, metadata["name"], last.get("displayName", ""), last.get("message", ""))


def _ended_badly(cluster: Cluster) -> Iterator[Mapping[str, Any]]:
    api = client.CustomObjectsApi(cluster.api)
    more: str | None = ""
    while more is not None:
        with translated(f"list workflows in {cluster.namespace!r}"):
            page = api.list_namespaced_custom_object(
                "argoproj.io",
                "v1alpha1",
                cluster.namespace,
                "workflows",
                label_selector=_ENDED_BADLY,
                limit=_PAGE,
                _continue=more,
                _request_timeout=TIMEOUT_SECONDS,
            )
        yield from page["items"]
        more = page["metadata"].get("continue") or None
