"""`wardround coordinator abandon`: a run that nobody plays any more."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from wardround.cli.echo import echo


def abandon(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's name.")],
    settings: Annotated[Path, typer.Option(help="The coordinator's settings (YAML or JSON).")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Give a run up for good: sites that wait for its next round stop waiting, and are free for the next run.

    A coordinator that still plays it stops, too, after it has told MLflow. If its own run in Kubeflow is gone, start it
    once more under its name: it tells MLflow, and ends. What the rounds made stays in the exchange.
    """
    from wardround.coordinator.abandon import AbandonSettings
    from wardround.coordinator.abandon import abandon as give_up
    from wardround.coordinator.publish import PREFIX
    from wardround.log_lines import set_up_logging
    from wardround.processes import load_settings, run_until_signal

    set_up_logging()
    chosen = load_settings(AbandonSettings, settings, PREFIX)
    if not yes:
        typer.confirm(f"Abandon run {run} of {chosen.federation}, for all sites and for good?", abort=True)
    final = run_until_signal(partial(give_up, chosen, run))
    if final.status == "abandoned":
        echo(f"run {run}: abandoned after {final.rounds} rounds; newest model {final.last}")
    else:
        echo(f"run {run} had ended already: {final.status} after {final.rounds} rounds")
