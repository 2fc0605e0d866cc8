"""From what a coordinator was given to one run of one plan: the plan at hand, and the run's name."""

import threading

from wardround.coordinator.settings import CoordinatorSettings
from wardround.errors import ConfigurationError
from wardround.exchange.connect import open_patient
from wardround.exchange.layout import Layout, check_digest, run_name
from wardround.plan.format import Plan, load_plan
from wardround.plan_store import fetch_plan

_DIGITS = 8


def settle(settings: CoordinatorSettings, stop: threading.Event) -> tuple[CoordinatorSettings, Plan]:
    """The plan, and the settings with the run's name; the same for the same settings, however often.

    Raises ConfigurationError when there is no plan or no name, MissingError for a digest that was never published,
    RefusedError for a plan that is not what its digest says.
    """
    plan = _plan(settings, stop)
    name = settings.run or unique_name(plan, settings.run_id)
    return settings.model_copy(update={"run": name}), plan


def unique_name(plan: Plan, run_id: str) -> str:
    """`<recipe>-<digest>-<id>`: whoever reads it knows what is trained, and two starts of one plan differ.

    Raises ConfigurationError when there is no id.
    """
    digits = short_id(run_id)
    if not digits:
        raise ConfigurationError(
            "the run has no name; give it one (--run), or start it through Kubeflow Pipelines, which names it"
        )
    return run_name(plan.manifest.recipe_model().name, ending=f"{plan.digest[:_DIGITS]}-{digits}")


def short_id(run_id: str) -> str:
    """What stands of a job's id at the end of such a name."""
    return "".join(filter(str.isalnum, run_id.lower()))[:_DIGITS]


def _plan(settings: CoordinatorSettings, stop: threading.Event) -> Plan:
    if settings.plan is not None:
        return load_plan(settings.plan, expected=settings.plan_digest)
    if settings.plan_digest is None:
        raise ConfigurationError(
            "there is no plan; give the digest of one that was published, or the folder of one that was compiled"
        )
    digest = check_digest(settings.plan_digest)
    exchange = open_patient(settings.exchange, settings.outage_s, stop)
    shared = exchange.store(Layout(settings.federation).federation)
    return fetch_plan(shared, digest, settings.work / "plans" / digest)
