"""How a command is told which Kubeflow Pipelines to talk to, and as whom."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
DEFAULT_URL = _IN_CLUSTER


def connect(
    namespace: str | None, url: str, token_file: Path | None, ca_file: Path | None, ui: str | None
) -> "Kubeflow":
    """The API, with what is not given taken from this pod. Raises ConfigurationError."""
    from wardround.kubeflow.client import Connection, Kubeflow, default_namespace, default_token_file

    return Kubeflow(
        Connection(
            namespace=namespace or default_namespace(),
            url=url,
            token_file=token_file or default_token_file(),
            ca_file=ca_file,
            ui=ui,
        )
    )
