"""`wardround compile`"""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from wardround.cli.echo import echo
from wardround.compiler_client import compile_recipe
from wardround.recipe import load_recipe
from wardround.text import for_rich


def compile(
    recipe: Annotated[Path, typer.Argument(help="Recipe (YAML).")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the plan.")] = Path("plan"),
    compiler_python: Annotated[
        Path | None,
        typer.Option(
            envvar="WARDROUND_COMPILER_PYTHON",
            help="Python that has TensorFlow Federated; set up if not given.",
        ),
    ] = None,
) -> None:
    """Compile a recipe into a plan: TensorFlow graphs, named by a digest, that hospitals can inspect and approve."""
    console = Console(stderr=True)
    with console.status("compiling") as status:
        plan = compile_recipe(
            load_recipe(recipe),
            out,
            folder=recipe.parent,
            interpreter=compiler_python,
            progress=lambda step: status.update(for_rich(f"compiling: {step}")),
        )
    echo(f"plan {plan.digest} in {out}")
    echo(f"next: wardround plan show {shlex.quote(str(out))}", err=True)
