"""Runs that lost a pod go on: Kubeflow is asked to start the lost step again, in the same run."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from wardround.cluster.connect import Cluster
from wardround.cluster.errors import ClusterUnavailableError
from wardround.cluster.workflows import Look, LostRun, look, wait_for_another
from wardround.kubeflow.client import Kubeflow
from wardround.kubeflow.errors import KubeflowUnavailableError

PIPELINES = ("wardround-site", "wardround-coordinator", "wardround-compile")
What = Literal["retried", "given up", "not failed yet"]

_LOG = logging.getLogger(__name__)
_WATCH_SECONDS = 60
_PAUSE_SECONDS = 0.5  # whatever a server does, it is not asked in a tight loop
# Kubeflow hears from Argo a few seconds after the fact.
_SOON_SECONDS = 5.0
_SOON_TIMES = 12


@dataclass(frozen=True)
class Rule:
    """Runs are started again that were lost in the last `within_s` seconds, each at most `most` times by one keeper."""

    most: int = 5
    within_s: float = 3600.0


@dataclass(frozen=True)
class Kept:
    """A run that lost a step, its name, and what was done about it."""

    lost: LostRun
    name: str
    what: What


def keep(kubeflow: Kubeflow, cluster: Cluster, within_s: float) -> Iterator[Kept]:
    """Looks once, and retries every run of our pipelines that was lost; steps that succeeded are kept.

    Raises KubeflowError, ClusterError.
    """
    return (_retry(kubeflow, lost) for lost in look(cluster, PIPELINES, within_s).lost)


def keep_watching(
    kubeflow: Kubeflow, cluster: Cluster, rule: Rule, told: Callable[[Kept], None], stop: threading.Event
) -> Iterator[None]:
    """Retries every run as it is lost, until `stop` is set. Yields after each look, at least every minute or so.

    `told` hears of each run once for each thing that is done about it. A server that is away is waited for, without
    yielding. Raises KubeflowError, ClusterError.
    """
    watching = _Watching(kubeflow, cluster, rule, told)
    while not stop.is_set():
        try:
            found = watching.look()
            yield
            if watching.is_hurried():
                stop.wait(_SOON_SECONDS)
            else:
                wait_for_another(cluster, found.version, _WATCH_SECONDS)
                stop.wait(_PAUSE_SECONDS)
        except (KubeflowUnavailableError, ClusterUnavailableError) as error:
            _LOG.warning("%s; trying again", error)
            stop.wait(_SOON_SECONDS)


@dataclass
class _Watching:
    """What was told already, how often each run was retried, and how often in a row Kubeflow was behind Argo.

    Kubeflow forgets that a run had failed when it retries it, so the keeper counts.
    """

    kubeflow: Kubeflow
    cluster: Cluster
    rule: Rule
    told: Callable[[Kept], None]
    known: frozenset[tuple[str, str]] = frozenset()
    retries: Counter[str] = field(default_factory=Counter)
    hurried: int = 0

    def look(self) -> Look:
        found = look(self.cluster, PIPELINES, self.rule.within_s)
        kept = [self._keep(lost) for lost in found.lost]
        for each in kept:
            if each.what == "retried" or (each.lost.run_id, each.what) not in self.known:
                self.told(each)
        self.known = frozenset((each.lost.run_id, each.what) for each in kept)
        self.hurried = self.hurried + 1 if any(each.what == "not failed yet" for each in kept) else 0
        return found

    def is_hurried(self) -> bool:
        """Whether to look again soon instead of waiting for an event."""
        return 0 < self.hurried <= _SOON_TIMES

    def _keep(self, lost: LostRun) -> Kept:
        if self.retries[lost.run_id] >= self.rule.most:
            return Kept(lost, lost.workflow, "given up")
        kept = _retry(self.kubeflow, lost)
        self.retries[lost.run_id] += kept.what == "retried"
        return kept


def _retry(kubeflow: Kubeflow, lost: LostRun) -> Kept:
    api = kubeflow.runs
    run = kubeflow.call(f"look at run {lost.run_id}", api.run_service_get_run, lost.run_id)
    if run.state != "FAILED":
        # A person ended it, or Kubeflow has not yet heard how the workflow stands.
        return Kept(lost, run.display_name, "not failed yet")
    kubeflow.call(f"retry run {run.display_name}", api.run_service_retry_run, lost.run_id)
    return Kept(lost, run.display_name, "retried")
