"""`wardround demo`"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from wardround.log_lines import set_up_logging
from wardround.processes import run_until_signal

# Where nobody looks at a terminal, tables still need room.
_LOG_WIDTH = 130
FOLDER = Path(".wardround/demo")


def demo(
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds of training; else the recipe's.")] = None,
    sites: Annotated[int | None, typer.Option(help="Generated hospitals, 2 to 4.")] = None,
    modality: Annotated[str | None, typer.Option(help="Generated images: xray, or mr (volumes).")] = None,
    images: Annotated[Path | None, typer.Option(help="Real images: a folder with manifest.csv.")] = None,
    label: Annotated[str | None, typer.Option(help="The manifest's column of labels.")] = None,
    split: Annotated[list[str] | None, typer.Option(help="SITE=K divides a site into K hospitals.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe instead of the built-in one.")] = None,
    folder: Annotated[Path, typer.Option(help="Where everything goes.")] = FOLDER,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the data; 1 if not given.")] = None,
    exchange_url: Annotated[
        str | None, typer.Option(help="An exchange to use instead of an own S3 server.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the demo in the folder.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete the demo in the folder, start again.")
    ] = False,
    report: Annotated[bool, typer.Option(help="Compare with local-only and pooled models.")] = True,
) -> None:
    """Train a federation on this machine: one process per hospital, an S3 server, MLflow, the compiled pipelines."""
    from wardround.local.demo import run_demo
    from wardround.local.demo_choices import Wishes

    wishes = Wishes(
        folder=folder,
        rounds=rounds,
        sites=sites,
        modality=modality,
        images=images,
        label=label,
        split=tuple(split or ()),
        recipe=recipe,
        seed=seed,
        exchange_url=exchange_url,
        resume=resume,
        fresh=fresh,
        report=report,
    )
    set_up_logging()
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=_LOG_WIDTH)
    run_until_signal(lambda stop: run_demo(wishes, console, stop))
