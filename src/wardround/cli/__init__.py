"""`wardround …`. A command's module is imported when it runs, so that `wardround --help` needs no TensorFlow."""

import functools
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from wardround.cli.ending import ending_at_once
from wardround.errors import WardroundError
from wardround.private_files import keep_private
from wardround.private_process import handle_data_privately, say, withhold

# What a data scientist does with files of their own: there, a library's words and a traceback help. All other commands
# handle patients' data, other parties' objects or credentials.
OWN_WORK = frozenset(("recipe", "compile", "plan"))
_HELP = "Federated learning for medical images: hospitals keep their images, and train one model together."

# Name → (module, what to take from it, one line of help).
COMMANDS = {
    "demo": ("wardround.cli.demo", "demo", "Train a federation of four hospitals on this machine."),
    "recipe": ("wardround.cli.recipe", "app", "Write and check recipes."),
    "compile": ("wardround.cli.compile", "compile", "Compile a recipe to a plan."),
    "plan": (
        "wardround.cli.plan",
        "app",
        "Show what a plan does and what would leave a hospital; simulate it.",
    ),
    "site": ("wardround.cli.site", "app", "A hospital's steps: preprocess, train, evaluate, approve."),
    "deid": ("wardround.cli.deid", "deid", "De-identify a folder of DICOM files (PS3.15 Annex E)."),
    "data": ("wardround.cli.data", "app", "Look at a hospital's prepared data before anything is trained."),
    "coordinator": (
        "wardround.cli.coordinator",
        "app",
        "The coordinator's steps: open, aggregate, evaluate.",
    ),
    "pipeline": (
        "wardround.cli.pipeline",
        "app",
        "Compile pipelines for a namespace, and register them in Kubeflow.",
    ),
    "submit": (
        "wardround.cli.submit",
        "submit",
        "Start a run in Kubeflow: of a recipe, or a hospital's part.",
    ),
    "status": ("wardround.cli.status", "status", "Show how a run stands: rounds, sites, links."),
    "cluster": ("wardround.cli.cluster", "app", "What the charts' Jobs do with the Kubernetes API."),
    "quarantine": (
        "wardround.cli.quarantine",
        "app",
        "Decide about images that may show who the patient is.",
    ),
}


class LazyGroup(TyperGroup):
    """A group that shows what it has without loading it."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is asked for, loaded."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, _load(str(name)) if found is not None else None, rest


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 an error (one line on stderr), 2 usage, 130 and 143 signals."""
    # Every command, so that none is forgotten: most of them handle what comes from patients.
    keep_private()
    # TensorFlow's notes on its own build would bury the lines that say what a step does.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    stubs: dict[str, Any] = {name: TyperCommand(name, help=text) for name, (_, _, text) in COMMANDS.items()}
    group = LazyGroup(name="wardround", commands=stubs, help=_HELP, no_args_is_help=True)
    with ending_at_once():
        try:
            group(prog_name="wardround")
        except WardroundError as error:
            withhold(error)
            say(f"wardround: {error} [{error.code}]")
            sys.exit(1)


def _load(name: str) -> Any:
    module, attribute, _ = COMMANDS[name]
    found = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command(name)(found)
        found = app
    command = typer.main.get_command(found)
    return command if name in OWN_WORK else _private(command)


def _private(command: Any) -> Any:
    """The command, and all below it, in a process that says nothing of a library's once its own code runs."""
    if below := getattr(command, "commands", {}):
        for each in below.values():
            _private(each)
    elif command.callback is not None:
        command.callback = _privately(command.callback)
    return command


def _privately(callback: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(callback)
    def run(*given: Any, **named: Any) -> Any:
        handle_data_privately()
        try:
            return callback(*given, **named)
        except typer.Abort:
            say("aborted")
            raise typer.Exit(1) from None

    return run
