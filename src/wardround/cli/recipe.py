"""`wardround recipe …`"""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from wardround.cli.echo import echo
from wardround.errors import ConfigurationError
from wardround.recipe import RECIPE_TEMPLATE, load_recipe

app = typer.Typer(no_args_is_help=True, help="Write and check recipes: the data scientist's side.")


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("recipe.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented recipe to start from."""
    if path.exists() and not force:
        raise ConfigurationError(f"{path} exists; give another name, or --force to replace it")
    path.write_text(RECIPE_TEMPLATE, encoding="utf-8")
    echo(f"wrote {path}; next: edit it, then wardround compile {shlex.quote(str(path))} --out plan")


@app.command()
def check(path: Annotated[Path, typer.Argument(help="Recipe to check.")]) -> None:
    """Check a recipe; each mistake is one line with its place, value and legal values."""
    recipe = load_recipe(path)
    echo(f"{path}: recipe {recipe.name!r} is valid")
