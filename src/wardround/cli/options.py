"""Settings of a step from four places: flags, then the pipeline's inputs, then the environment, then a file.

Each field of a settings model is a flag, so a command's glue is a function of a `Step`.
"""

import functools
import inspect
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import typer
from pydantic import BaseModel

from wardround.cli.executor import Executor
from wardround.log_lines import set_up_logging
from wardround.private_process import keep_texts
from wardround.processes import load_settings

S = TypeVar("S", bound=BaseModel)

_TEXT: tuple[Any, ...] = (str, Path, str | None, Path | None)
_FILE = Annotated[Path | None, typer.Option("--settings", help="YAML or JSON file with the settings.")]
_EXECUTOR = Annotated[str | None, typer.Option("--executor-input", help="Kubeflow's '{{$}}'.", hidden=True)]


@dataclass(frozen=True)
class Step(Generic[S]):
    """What a step's command gets: its settings, and where Kubeflow wants its outputs."""

    settings: S
    executor: Executor

    def given(self, name: str, flag: Any) -> Any:
        """A value that is no setting: the flag if it was given, else the pipeline's input, else None."""
        return flag if is_given(flag) else self.executor.inputs.get(name) or None


def step(
    model: type[S], prefix: str, **defaults: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes a command of `function(step, …)`; its other parameters stay options of their own.

    `defaults` stand for fields that this command does not need.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def command(settings: Path | None, executor_input: str | None, **given: Any) -> None:
            set_up_logging()
            executor = Executor.parse(executor_input)
            fields = {name: given.pop(name) for name in model.model_fields}
            found = read_settings(model, prefix, settings, fields, executor.inputs, defaults)
            if getattr(found, "keep_error_texts", False):
                keep_texts(found.work)  # type: ignore[attr-defined]
            function(Step(found, executor), **given)

        own = list(inspect.signature(function).parameters.values())[1:]
        flags = [_flag(name) for name in model.model_fields]
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [*_keyword_only(own), *flags, _option("settings", _FILE), _option("executor_input", _EXECUTOR)]
        )
        return command

    return decorate


def read_settings(
    model: type[S],
    prefix: str,
    file: Path | None,
    flags: Mapping[str, Any],
    inputs: Mapping[str, Any],
    defaults: Mapping[str, Any],
) -> S:
    """The settings; flags and inputs that are empty were not given. Raises ConfigurationError."""
    path = file or (Path(inputs["settings"]) if is_given(inputs.get("settings")) else None)
    spoken = {name: _as_yaml(model, name, value) for name, value in flags.items() if is_given(value)}
    passed = {
        name: json.dumps(inputs[name], ensure_ascii=False)
        for name in model.model_fields
        if is_given(inputs.get(name))
    }
    assumed = {prefix + name.upper(): json.dumps(value) for name, value in defaults.items()}
    above = {prefix + name.upper(): value for name, value in (passed | spoken).items()}
    return load_settings(model, path, prefix, {**assumed, **os.environ, **above})


def is_given(value: Any) -> bool:
    """Whether an input says something: Kubeflow's form needs a default for all, which is empty or 0."""
    return isinstance(value, bool) or not (value is None or value in ("", 0) or value == [] or value == {})


def _as_yaml(model: type[BaseModel], name: str, value: str) -> str:
    # A run called `1` or a site called `no` is text, whatever YAML takes it for.
    return json.dumps(value, ensure_ascii=False) if model.model_fields[name].annotation in _TEXT else value


def _keyword_only(parameters: list[inspect.Parameter]) -> list[inspect.Parameter]:
    return [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]


def _flag(name: str) -> inspect.Parameter:
    option = typer.Option(
        f"--{name.replace('_', '-')}", help="Lists and mappings as YAML.", show_default=False
    )
    return _option(name, Annotated[str | None, option])


def _option(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
