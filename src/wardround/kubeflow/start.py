"""Starting runs, and keeping a run that is started again and again.

Runs are called `<federation>/<run>/<party>`. What a run was asked to do is in its description as a digest, so
that asking again for the same thing does nothing. By the description's start a recurring run is known as ours, whatever
it was called; those that people make in the UI are left alone.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from wardround.errors import ConfigurationError
from wardround.kubeflow.client import Kubeflow, named
from wardround.kubeflow.register import Version

NEWEST = "newest-open"
RECURRING = "recurring"
_OURS = "Started by wardround; order "
ACTIVE = ("PENDING", "RUNNING", "CANCELING", "PAUSED")
Kept = Literal["made", "replaced", "enabled", "unchanged"]


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


@dataclass(frozen=True)
class Schedule:
    """When a recurring run starts: every `seconds`, or as `cron` says (six fields, seconds first; or five)."""

    cron: str | None = None
    seconds: int | None = None

    def trigger(self) -> dict[str, Any]:
        """As the API takes it. Raises ConfigurationError."""
        if (self.cron is None) == (self.seconds is None):
            raise ConfigurationError("a recurring run needs either --recurring-cron or --recurring-seconds")
        if self.seconds is not None:
            return {"periodic_schedule": {"interval_second": str(self.seconds)}}
        fields = str(self.cron).split()
        if len(fields) not in (5, 6):
            raise ConfigurationError(
                f"cron expression {self.cron!r} has {len(fields)} fields; legal are 5 (minute first) and 6 (second "
                "first)"
            )
        return {"cron_schedule": {"cron": " ".join(fields if len(fields) == 6 else ["0", *fields])}}


def run_title(federation: str, run: str, party: str) -> str:
    """What a run is called in Kubeflow; without a run's name it is the one that takes the newest open run."""
    return "/".join((federation or "wardround", run or NEWEST, party))


def start(kubeflow: Kubeflow, order: Order) -> Started:
    """Starts a run. Raises KubeflowError."""
    body = order.body(_description(order.digest()))
    run = kubeflow.call(f"start run {order.title}", kubeflow.runs.run_service_create_run, body)
    return Started(run.run_id, order.title, kubeflow.link(run.run_id))


def start_once(kubeflow: Kubeflow, order: Order) -> Started:
    """Starts a run unless the same order was started before, and has not failed."""
    wanted = _description(order.digest())
    for run in _runs(kubeflow, order.experiment_id, order.title):
        if run.description == wanted and run.state not in ("FAILED", "CANCELED"):
            return Started(run.run_id, order.title, kubeflow.link(run.run_id), is_new=False)
    return start(kubeflow, order)


def keep_recurring(kubeflow: Kubeflow, order: Order, schedule: Schedule) -> Kept:
    """Makes the recurring run what it should be: one at a time, nothing made up for, enabled. Raises KubeflowError.

    A recurring run cannot be changed, so one that differs is disabled and another made. It is removed when none of
    its runs is under way: they would end with it.
    """
    trigger = schedule.trigger()
    wanted = _description(order.digest(trigger))
    every = [*_recurring(kubeflow, order.version)]
    same = next((each for each in every if each.description == wanted), None)
    others = [each for each in every if each is not same]
    for each in others:
        _disable(kubeflow, each)
    if same is None:
        _make_recurring(kubeflow, order, trigger, wanted)
    elif not _is_enabled(same):
        api = kubeflow.recurring_runs
        enable = api.recurring_run_service_enable_recurring_run
        kubeflow.call("enable a recurring run", enable, same.recurring_run_id)
    _remove_idle(kubeflow, order.experiment_id, others)
    if same is not None:
        return "unchanged" if _is_enabled(same) else "enabled"
    return "replaced" if others else "made"


def disable_recurring(kubeflow: Kubeflow, version: Version) -> int:
    """Disables every recurring run of the pipeline; runs under way go on. Returns how many were enabled."""
    enabled = [each for each in _recurring(kubeflow, version) if _is_enabled(each)]
    for each in enabled:
        _disable(kubeflow, each)
    return len(enabled)


def _make_recurring(kubeflow: Kubeflow, order: Order, trigger: dict[str, Any], description: str) -> None:
    body = order.body(description) | {
        "mode": "ENABLE",
        "trigger": trigger,
        "max_concurrency": "1",
        "no_catchup": True,
    }
    create = kubeflow.recurring_runs.recurring_run_service_create_recurring_run
    kubeflow.call(f"make recurring run {order.title}", create, body)


def _remove_idle(kubeflow: Kubeflow, experiment_id: str, others: list[Any]) -> None:
    if not others:
        return
    busy = {run.recurring_run_id for run in _runs(kubeflow, experiment_id) if run.state in ACTIVE}
    delete = kubeflow.recurring_runs.recurring_run_service_delete_recurring_run
    for each in others:
        if each.recurring_run_id not in busy:
            kubeflow.call("remove a recurring run that was replaced", delete, each.recurring_run_id)


def _disable(kubeflow: Kubeflow, recurring: Any) -> None:
    if _is_enabled(recurring):
        disable = kubeflow.recurring_runs.recurring_run_service_disable_recurring_run
        kubeflow.call("disable a recurring run", disable, recurring.recurring_run_id)


def _is_enabled(recurring: Any) -> bool:
    return bool(recurring.status == "ENABLED")


def _recurring(kubeflow: Kubeflow, version: Version) -> Iterator[Any]:
    """Those of any version of the pipeline that we made."""
    api = kubeflow.recurring_runs.recurring_run_service_list_recurring_runs
    found = kubeflow.pages("list recurring runs", api, "recurring_runs", namespace=kubeflow.namespace)
    return (
        each
        for each in found
        if (each.description or "").startswith(_OURS)
        and each.pipeline_version_reference is not None
        and each.pipeline_version_reference.pipeline_id == version.pipeline_id
    )


def _runs(kubeflow: Kubeflow, experiment_id: str, title: str | None = None) -> Iterator[Any]:
    api = kubeflow.runs.run_service_list_runs
    chosen = named(title) if title is not None else None
    return kubeflow.pages("list runs", api, "runs", experiment_id=experiment_id, filter=chosen)


def _description(digest: str) -> str:
    return f"{_OURS}{digest}"
