"""`wardround submit`"""

import tempfile
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from wardround.cli.echo import echo
from wardround.cli.kubeflow_options import Place, at_kubeflow
from wardround.errors import ConfigurationError

Recipe = Annotated[Path | None, typer.Argument(metavar="RECIPE", help="Recipe (YAML).")]
Site = Annotated[bool, typer.Option("--site", help="Start the hospital's run instead of the coordinator's.")]
Settings = Annotated[
    Path | None,
    typer.Option(help="The party's settings (YAML): its federation, and the exchange or the site's name."),
]
RunName = Annotated[
    str | None, typer.Option("--run", help="The run's name; a new one, or at a site the newest run.")
]
Rounds = Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")]
Quorum = Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")]
Parameters = Annotated[Path | None, typer.Option(help="More of the pipeline's parameters (YAML or JSON).")]


@at_kubeflow()
def submit(
    recipe: Recipe = None,
    site: Site = False,
    settings: Settings = None,
    run: RunName = None,
    rounds: Rounds = None,
    quorum: Quorum = None,
    parameters: Parameters = None,
    *,
    place: Place,
) -> None:
    """Compile a recipe, publish its plan and start the coordinator's run of it in Kubeflow.

    With --site: start the hospital's run, of the newest open run or of --run. The exchange's credential is a file that
    WARDROUND_S3_CREDENTIALS_FILE names.
    """
    from wardround.log_lines import set_up_logging

    set_up_logging()
    if site == (recipe is not None):
        raise ConfigurationError("give either a recipe, or --site")
    kubeflow = place.connect()
    chosen = _parameters(parameters, run=run, rounds=rounds, quorum=quorum)
    if recipe is not None:
        _submit_recipe(kubeflow, settings, recipe, chosen)
    else:
        _submit_site(kubeflow, settings, chosen)


def _submit_recipe(kubeflow: Any, settings: Path | None, recipe: Path, parameters: dict[str, Any]) -> None:
    from rich.console import Console

    from wardround.coordinator.publish import PublishSettings
    from wardround.kubeflow.submit import submit_recipe
    from wardround.private_process import shown_stream
    from wardround.processes import run_until_signal
    from wardround.text import for_rich

    console = Console(file=shown_stream())
    with tempfile.TemporaryDirectory() as folder, console.status("compiling") as status:

        def work(stop: threading.Event) -> Any:
            return submit_recipe(
                kubeflow,
                PublishSettings.load(settings),
                recipe,
                parameters,
                folder=Path(folder) / "plan",
                stop=stop,
                progress=lambda step: status.update(for_rich(step)),
            )

        made = run_until_signal(work)
    echo(f"plan {made.digest}", f"run {made.run}", made.started.link)


def _submit_site(kubeflow: Any, settings: Path | None, parameters: dict[str, Any]) -> None:
    from wardround.kubeflow.submit import SiteNames, submit_site

    started = submit_site(kubeflow, SiteNames.load(settings), parameters)
    echo(started.name, started.link)


def _parameters(file: Path | None, **more: Any) -> dict[str, Any]:
    from wardround.kubeflow.parameters import read_parameters

    given = {} if file is None else read_parameters(file)
    return given | {name: value for name, value in more.items() if value is not None}
