"""`wardround status`"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wardround.cli.echo import echo
from wardround.cli.kubeflow_options import Place, at_kubeflow

if TYPE_CHECKING:
    from wardround.kubeflow.find import KubeflowRun
    from wardround.kubeflow.status import RunStatus, StatusSettings

RunName = Annotated[str, typer.Argument(metavar="RUN", help="The run's name.")]
Settings = Annotated[
    Path | None,
    typer.Option(help="Settings of a site or the coordinator: federation, exchange, keys (YAML)."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]
MlflowUi = Annotated[
    str | None,
    typer.Option(
        envvar="WARDROUND_MLFLOW_UI", help="MLflow's address for links; the settings' if not given."
    ),
]


@at_kubeflow()
def status(
    run: RunName,
    settings: Settings = None,
    as_json: Json = False,
    mlflow_ui: MlflowUi = None,
    *,
    place: Place,
) -> None:
    """Show a run: rounds, sites, the last outcome, and where to look in Kubeflow and MLflow.

    Kubeflow is asked if there is a namespace to ask about: --namespace, or that of this pod.
    """
    from wardround.exchange.errors import MissingError
    from wardround.kubeflow.status import StatusSettings

    chosen = StatusSettings.load(settings)
    try:
        found = _read(chosen, run)
    except MissingError:
        # Submitted, but its first step has not begun.
        if not (parts := _kubeflow(chosen.federation, run, place)):
            raise
        _print_unopened(chosen.federation, run, parts, as_json)
        return
    parts = _kubeflow(found.federation, found.run, place)
    registry = mlflow_ui or found.registry
    model = f"{registry.rstrip('/')}/#/models/{found.model_name}" if registry else None
    if as_json:
        shown = asdict(found) | {"kubeflow": [asdict(part) for part in parts], "model_link": model}
        typer.echo(json.dumps(shown, allow_nan=False))
    else:
        _print(found, parts, model)


def _read(chosen: "StatusSettings", run: str) -> "RunStatus":
    from wardround.exchange.connect import open_patient
    from wardround.kubeflow.status import read_status
    from wardround.processes import run_until_signal

    return run_until_signal(
        lambda stop: read_status(chosen, open_patient(chosen.exchange, chosen.outage_s, stop), run)
    )


def _kubeflow(federation: str, run: str, place: Place) -> "list[KubeflowRun]":
    from wardround.kubeflow.client import in_pod
    from wardround.kubeflow.find import find_runs

    if place.namespace is None and not in_pod():
        return []
    return find_runs(place.connect(), federation, run)


def _print_unopened(federation: str, run: str, parts: "list[KubeflowRun]", as_json: bool) -> None:
    if as_json:
        shown = {"federation": federation, "run": run, "state": "not-opened", "rounds": [], "sites": []}
        typer.echo(json.dumps(shown | {"kubeflow": [asdict(part) for part in parts]}))
        return
    from wardround.cli.status_page import links

    echo(f"run {run} of federation {federation} is not open yet")
    for line in links(parts, None):
        echo(line)


def _print(found: "RunStatus", parts: "list[KubeflowRun]", model: str | None) -> None:
    from rich.console import Console

    from wardround.cli.status_page import links, status_page

    Console().print(status_page(found))
    for line in links(parts, model):
        echo(line)
