"""From a shell to a run: the coordinator's of a recipe, or a hospital's."""

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from wardround.compiler_client import compile_recipe
from wardround.coordinator.publish import PublishSettings, publish
from wardround.coordinator.settle import unique_name
from wardround.exchange.layout import COORDINATOR, check_run
from wardround.kubeflow.client import Kubeflow
from wardround.kubeflow.register import experiment, newest_version
from wardround.kubeflow.start import Order, Started, run_title, start
from wardround.plan.format import Plan
from wardround.processes import load_settings
from wardround.recipe import load_recipe

Progress = Callable[[str], None]
_TOKEN_BYTES = 4


@dataclass(frozen=True)
class Submitted:
    """A run of the coordinator that was started: of which plan, and under which name."""

    digest: str
    run: str
    started: Started


class SiteNames(BaseModel):
    """Those of a site's settings that name its run; other fields are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    federation: str
    site: str

    @classmethod
    def load(cls, path: Path | None) -> "SiteNames":
        """From a site's settings file and its environment. Raises ConfigurationError."""
        return load_settings(cls, path, "WARDROUND_SITE_")


def submit_recipe(
    kubeflow: Kubeflow,
    settings: PublishSettings,
    recipe: Path,
    parameters: Mapping[str, Any],
    *,
    folder: Path,
    stop: threading.Event,
    progress: Progress = lambda _: None,
) -> Submitted:
    """Compiles a recipe into `folder`, publishes the plan, and starts the coordinator's run of it.

    `parameters` are the coordinator's pipeline's; `run`, if it is not among them, is made up. Raises RecipeError,
    CompileError, KubeflowError, ConfigurationError, and errors of the exchange.
    """
    # First what takes no time: nobody waits for a compiler to learn that there is no pipeline.
    version = newest_version(kubeflow, COORDINATOR)
    plan = compile_recipe(load_recipe(recipe), folder, folder=recipe.parent, progress=progress)
    progress("publishing the plan")
    publish(settings, plan, stop)
    progress("starting the run")
    run = _name(plan, parameters)
    order = Order(
        run_title(settings.federation, run, COORDINATOR),
        experiment(kubeflow, settings.federation),
        version,
        {**parameters, "run": run, "plan_digest": plan.digest},
    )
    return Submitted(plan.digest, run, start(kubeflow, order))


def submit_site(kubeflow: Kubeflow, names: SiteNames, parameters: Mapping[str, Any]) -> Started:
    """Starts a hospital's run: of the run among `parameters`, or of the newest open one. Raises KubeflowError."""
    version = newest_version(kubeflow, "site")
    title = run_title(names.federation, str(parameters.get("run") or ""), names.site)
    return start(kubeflow, Order(title, experiment(kubeflow, names.federation), version, parameters))


def _name(plan: Plan, parameters: Mapping[str, Any]) -> str:
    if named := parameters.get("run"):
        return check_run(str(named))
    return unique_name(plan, secrets.token_hex(_TOKEN_BYTES))
