"""How a command is told which Kubeflow Pipelines to talk to, and as whom."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from wardround.kubeflow.client import Kubeflow

_IN_CLUSTER = "http://ml-pipeline.kubeflow:8888"

Namespace = Annotated[
    str | None,
    typer.Option(
        envvar="WARDROUND_KFP_NAMESPACE", help="Namespace of the runs; that of this pod if not given."
    ),
]
Url = Annotated[
    str, typer.Option("--kfp-url", envvar="WARDROUND_KFP_URL", help="Kubeflow Pipelines' API (HTTP).")
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        envvar="WARDROUND_KFP_TOKEN_FILE",
        help="Token of a service account for the audience pipelines.kubeflow.org; the projected one if there is one.",
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option(envvar="WARDROUND_KFP_CA_FILE", help="PEM file of the authority of the API's certificate."),
]
Ui = Annotated[
    str | None,
    typer.Option(
        "--kfp-ui", envvar="WARDROUND_KFP_UI", help="Address of the UI, for links; the API's if not given."
    ),
]


@dataclass(frozen=True)
class Place:
    """What a command was told of Kubeflow; what was not is taken from this pod."""

    namespace: str | None
    kfp_url: str
    token_file: Path | None
    ca_file: Path | None
    kfp_ui: str | None = None

    def connect(self) -> "Kubeflow":
        """The API. Raises ConfigurationError."""
        from wardround.kubeflow.client import Connection, Kubeflow, default_namespace, default_token_file

        return Kubeflow(
            Connection(
                namespace=self.namespace or default_namespace(),
                url=self.kfp_url,
                token_file=self.token_file or default_token_file(),
                ca_file=self.ca_file,
                ui=self.kfp_ui,
            )
        )


_OPTIONS: dict[str, tuple[Any, Any]] = {
    "namespace": (Namespace, None),
    "kfp_url": (Url, _IN_CLUSTER),
    "token_file": (TokenFile, None),
    "ca_file": (CaFile, None),
    "kfp_ui": (Ui, None),
}


def at_kubeflow(*, links: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes a command of a function with a parameter `place: Place`, which becomes Kubeflow's options.

    `links`: whether it shows any, and so has an option for the pages' address.
    """
    names = [name for name in _OPTIONS if links or name != "kfp_ui"]

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def command(**given: Any) -> None:
            place = Place(**{name: given.pop(name) for name in names})
            function(place=place, **given)

        parameters: list[inspect.Parameter] = []
        for each in inspect.signature(function).parameters.values():
            parameters += [_option(name) for name in names] if each.name == "place" else [each]
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
        )
        return command

    return decorate


def _option(name: str) -> inspect.Parameter:
    annotation, default = _OPTIONS[name]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
