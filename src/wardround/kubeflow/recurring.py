"""A run that Kubeflow starts again and again.

By the start of its description a recurring run is known as ours, whatever it was called; those that people make in
the UI are left alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from wardround.errors import ConfigurationError
from wardround.kubeflow.client import Kubeflow
from wardround.kubeflow.register import Version
from wardround.kubeflow.start import OURS, Order, describe, list_runs

RECURRING = "recurring"
_ACTIVE = ("PENDING", "RUNNING", "CANCELING", "PAUSED")
Kept = Literal["made", "replaced", "enabled", "unchanged"]


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


def keep_recurring(kubeflow: Kubeflow, order: Order, schedule: Schedule) -> Kept:
    """Makes the recurring run what it should be: one at a time, nothing made up for, enabled. Raises KubeflowError.

    A recurring run cannot be changed, so one that differs is disabled and another made. It is removed when none of
    its runs is under way: they would end with it.
    """
    trigger = schedule.trigger()
    wanted = describe(order.digest(trigger))
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
    busy = {run.recurring_run_id for run in list_runs(kubeflow, experiment_id) if run.state in _ACTIVE}
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
        if (each.description or "").startswith(OURS)
        and each.pipeline_version_reference is not None
        and each.pipeline_version_reference.pipeline_id == version.pipeline_id
    )
