"""Runs that ended because the cluster took a pod away, and not because a step failed.

Argo gives a step whose container failed the phase Failed, and one whose pod was deleted (a node was drained, the pod
was preempted) the phase Error. Kubeflow's retries are of the first kind alone: its compiler writes no `retryPolicy`,
and Argo's default for that is `OnFailure`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kubernetes import client, watch

from wardround.cluster.connect import TIMEOUT_SECONDS, Cluster, translated

_PAGE = 20  # a workflow is some 100 kB
_GROUP, _VERSION, _KIND = "argoproj.io", "v1alpha1", "workflows"
_ENDED_BADLY = "workflows.argoproj.io/completed=true,workflows.argoproj.io/phase in (Failed,Error)"
_RUN_LABEL = "pipeline/runid"
_NAME_FLAG = "--pipeline_name"
_GONE = 410  # the version to watch from is too old


@dataclass(frozen=True)
class LostRun:
    """A run of Kubeflow's whose step `step` was lost; `message` is Argo's."""

    run_id: str
    workflow: str
    step: str
    message: str


@dataclass(frozen=True)
class Look:
    """What was found, and the version of the list: `wait_for_another` sees what came after it."""

    lost: tuple[LostRun, ...]
    version: str


def look(cluster: Cluster, pipelines: tuple[str, ...], within_s: float) -> Look:
    """Runs of these pipelines in the cluster's namespace that were lost in the last `within_s` seconds.

    Raises ClusterError.
    """
    since = datetime.now(UTC) - timedelta(seconds=within_s)
    api, found = client.CustomObjectsApi(cluster.api), list[LostRun | None]()
    more, version = "", ""
    while True:
        with translated(f"list workflows in {cluster.namespace!r}"):
            page = api.list_namespaced_custom_object(
                *(_GROUP, _VERSION, cluster.namespace, _KIND),
                label_selector=_ENDED_BADLY,
                limit=_PAGE,
                _continue=more,
                _request_timeout=TIMEOUT_SECONDS,
            )
        found += [lost_run(each) for each in page["items"] if _is_of(each, pipelines, since)]
        version = version or page["metadata"]["resourceVersion"]
        more = page["metadata"].get("continue") or ""
        if not more:
            return Look(tuple(each for each in found if each is not None), version)


def wait_for_another(cluster: Cluster, version: str, seconds: int) -> None:
    """Returns when a workflow has ended badly since `version`, or after `seconds`. Raises ClusterError."""
    stream, api = watch.Watch(), client.CustomObjectsApi(cluster.api)
    with translated(f"watch workflows in {cluster.namespace!r}"):
        try:
            for _ in stream.stream(
                api.list_namespaced_custom_object,
                *(_GROUP, _VERSION, cluster.namespace, _KIND),
                label_selector=_ENDED_BADLY,
                resource_version=version,
                timeout_seconds=seconds,
                _request_timeout=(TIMEOUT_SECONDS[0], seconds + TIMEOUT_SECONDS[1]),
            ):
                stream.stop()
        except client.ApiException as error:
            if error.status != _GONE:
                raise


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


def _is_of(workflow: Mapping[str, Any], pipelines: tuple[str, ...], since: datetime) -> bool:
    ended = workflow.get("status", {}).get("finishedAt")
    return _pipeline(workflow) in pipelines and ended is not None and datetime.fromisoformat(ended) >= since


def _pipeline(workflow: Mapping[str, Any]) -> str | None:
    """The pipeline's name: Kubeflow's driver is told it. Workflows of a recurring run are named after that instead."""
    for template in workflow.get("spec", {}).get("templates", ()):
        arguments = template.get("container", {}).get("args") or []
        if _NAME_FLAG in arguments[:-1]:
            return str(arguments[arguments.index(_NAME_FLAG) + 1])
    return None
