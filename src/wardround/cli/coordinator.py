"""`wardround coordinator …`: the steps of whoever runs the federation."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from wardround.cli.coordinator_abandon import abandon
from wardround.cli.coordinator_check import check
from wardround.cli.echo import echo
from wardround.cli.keys import key
from wardround.cli.options import Step, step
from wardround.coordinator.settings import CoordinatorSettings

app = typer.Typer(no_args_is_help=True, help="The coordinator's steps in a run.", add_completion=False)
app.command("key")(key)
app.command("check")(check)
app.command("abandon")(abandon)

_PREFIX = "WARDROUND_COORDINATOR_"


@app.command("open")
@step(CoordinatorSettings, _PREFIX)
def open_(given: Step[CoordinatorSettings]) -> None:
    """Publish the plan and open the run, so that sites can review it; can be repeated."""
    from wardround.coordinator.commands import open_run
    from wardround.coordinator.settle import settle
    from wardround.processes import run_until_signal

    settings, _ = run_until_signal(partial(settle, given.settings))
    opened = run_until_signal(partial(open_run, settings))
    echo(f"run {settings.run}: plan {opened.plan_digest}, {opened.rounds} rounds")


@app.command()
@step(CoordinatorSettings, _PREFIX)
def aggregate(given: Step[CoordinatorSettings]) -> None:
    """Play all rounds of a run, from wherever it stands."""
    from wardround.cli.steps_coordinator import run_aggregate

    run_aggregate(given)


@app.command()
@step(CoordinatorSettings, _PREFIX)
def evaluate(given: Step[CoordinatorSettings]) -> None:
    """Report a finished run: curves by round, federated metrics, each site's where they are known."""
    from wardround.cli.steps_coordinator import run_evaluate

    run_evaluate(given)


@app.command()
def publish(
    plan: Annotated[Path, typer.Argument(help="Folder of the plan.")],
    settings: Annotated[
        Path | None, typer.Option(help="The coordinator's settings (YAML or JSON), or at least these flags.")
    ] = None,
    federation: Annotated[str | None, typer.Option()] = None,
    exchange: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Publish a plan in the federation's bucket, so that sites can review it and a run can name its digest."""
    from wardround.cli.options import read_settings
    from wardround.coordinator.publish import PREFIX, PublishSettings
    from wardround.coordinator.publish import publish as publish_plan
    from wardround.log_lines import set_up_logging
    from wardround.plan.format import load_plan
    from wardround.processes import run_until_signal

    set_up_logging()
    flags = {"federation": federation, "exchange": exchange}
    chosen = read_settings(PublishSettings, PREFIX, settings, flags, {}, {})
    made = load_plan(plan)
    run_until_signal(partial(publish_plan, chosen, made))
    echo(made.digest)


@app.command("compile", hidden=True)
def compile_(
    executor_input: Annotated[
        str, typer.Option(help="Kubeflow's '{{$}}': inputs recipe (YAML text) and plan.")
    ],
    plan: Annotated[Path | None, typer.Option(help="Folder for the plan.")] = None,
) -> None:
    """The compile step of a pipeline; people use `wardround compile`."""
    from wardround.cli.steps_compile import run_compile

    run_compile(executor_input, plan)
