"""Runs that lost a pod go on: Kubeflow is asked to start the lost step again, in the same run."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from wardround.cluster.connect import Cluster
from wardround.cluster.workflows import LostRun, lost_runs
from wardround.kubeflow.client import Kubeflow

PIPELINES = ("wardround-site", "wardround-coordinator", "wardround-compile")
What = Literal["retried", "given-up", "not-failed"]


@dataclass(frozen=True)
class Kept:
    """A run that lost a step, its name, and what was done about it."""

    lost: LostRun
    name: str
    what: What


def keep(kubeflow: Kubeflow, cluster: Cluster, most: int, within_s: float) -> Iterator[Kept]:
    """Every run of our pipelines that lost a step in the last `within_s` seconds; steps that succeeded are kept.

    A run that has failed more than `most` times is given up. Raises KubeflowError, ClusterError.
    """
    for lost in lost_runs(cluster, PIPELINES, within_s):
        yield _retry(kubeflow, lost, most)


def _retry(kubeflow: Kubeflow, lost: LostRun, most: int) -> Kept:
    api = kubeflow.runs
    run = kubeflow.call(f"look at run {lost.run_id}", api.run_service_get_run, lost.run_id)
    if run.state != "FAILED":
        # A person ended it, or Kubeflow has not yet heard how the workflow stands.
        return Kept(lost, run.display_name, "not-failed")
    if sum(status.state == "FAILED" for status in run.state_history or ()) > most:
        return Kept(lost, run.display_name, "given-up")
    kubeflow.call(f"retry run {run.display_name}", api.run_service_retry_run, lost.run_id)
    return Kept(lost, run.display_name, "retried")
