"""`wardround cluster …`: what the charts' Jobs do with the Kubernetes API."""

from typing import Annotated

import typer

from wardround.cli import cluster_coordinator
from wardround.cli.echo import echo

app = typer.Typer(no_args_is_help=True, help="Jobs of the charts, in a cluster.", add_completion=False)

Namespace = Annotated[
    str | None, typer.Option(help="Of the Secrets; the pod's own, or the kubeconfig's, if not given.")
]

cluster_coordinator.add_to(app)


@app.callback()
def _group() -> None:
    """A group even with one command."""


@app.command("make-key")
def make_key(
    secret: Annotated[str, typer.Option(help="The Secret with key.pem.")] = "wardround-key",
    namespace: Namespace = None,
) -> None:
    """Make the signing key's Secret unless it is there, and print the key's public half."""
    from wardround.cluster.connect import connect
    from wardround.cluster.secrets import Secrets
    from wardround.cluster.signing_key import keep_signing_key

    key = keep_signing_key(Secrets(connect(namespace)), secret)
    echo(f"Secret {secret} {'was made' if key.created else 'is there already'}; its public key:")
    echo(key.public.text)
