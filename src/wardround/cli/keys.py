"""Signing keys on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from wardround.cli.echo import echo

Out = Annotated[
    Path, typer.Option("--out", help="Where the private key lies, or is to lie (PEM, mode 0600).")
]


def key(out: Out) -> None:
    """Make a signing key unless it is there, and print its public half, which the other side needs."""
    from wardround.exchange.envelope import SigningKey

    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        SigningKey.generate().save(out)
    echo(SigningKey.load(out).public.text)
