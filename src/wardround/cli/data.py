"""`wardround data …`: looking at a hospital's prepared data."""

from pathlib import Path
from typing import Annotated

import typer

from wardround.cli.echo import echo

app = typer.Typer(no_args_is_help=True, help="Look at prepared data.", add_completion=False)

Folder = Annotated[
    Path, typer.Argument(help="Folder of a dataset, as `wardround site preprocess` prints it.")
]
Out = Annotated[Path | None, typer.Option(help="Where the page is to lie; beside the dataset if not given.")]
Outside = Annotated[
    bool, typer.Option(help="The page that may leave: no image, nothing about fewer than 10 patients.")
]
Device = Annotated[
    list[str] | None,
    typer.Option(help="With --for-outside: a scanner, as the own report names it, whose model may be named."),
]
Pictures = Annotated[int, typer.Option(min=0, max=64, help="Images of each label and split on the page.")]


@app.callback()
def _commands() -> None:
    """Keeps `report` a command of its own while it is the only one."""


@app.command()
def report(
    folder: Folder,
    out: Out = None,
    for_outside: Outside = False,
    device: Device = None,
    pictures: Pictures = 8,
) -> None:
    """Write an HTML page on a dataset: counts, pictures, brightness, what was left out and what stands out."""
    from rich.console import Console

    from wardround.imaging.statistics import console, report

    if for_outside:
        path = out or folder / report.OUTSIDE_FILE
        view = console.outside_view(report.write_outside_report(folder, path, device or ()))
    else:
        path = out or folder / report.OWN_FILE
        view = console.own_view(report.write_report(folder, path, pictures))
    Console().print(view)
    echo(path)
