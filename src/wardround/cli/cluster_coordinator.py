"""`wardround cluster …` for the coordinator's namespace: what its chart's Jobs run. Nothing prints a secret."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wardround.cli.echo import echo

if TYPE_CHECKING:
    from wardround.cluster.secrets import Secrets
    from wardround.cluster.settings import ClusterSettings

Config = Annotated[Path, typer.Option("--config", help="YAML file with the names of everything.")]
Namespace = Annotated[str | None, typer.Option(help="Default: the pod's own, or the kubeconfig's.")]
Rotate = Annotated[list[str], typer.Option(help="Whose key to renew: a name, or 'all'; may be repeated.")]

_PREFIX = "WARDROUND_CLUSTER_"


def add_to(app: typer.Typer) -> None:
    """Adds these commands to `wardround cluster`."""
    app.command("prepare")(prepare)
    app.command("certificate")(certificate)
    app.command("exchange")(exchange)
    app.command("policies")(policies)
    app.command("mlflow-users")(mlflow_users)


def prepare(config: Config, namespace: Namespace = None) -> None:
    """Make the Secrets that are missing, before any server starts."""
    from wardround.cluster.prepare import prepare as run

    names = run(_settings(config), _secrets(namespace))
    echo(f"Secrets: {', '.join(names) or 'none of ours'}")


def certificate(
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML file; or --secret and --names.")
    ] = None,
    secret: Annotated[str, typer.Option(help="Secret for the certificate.")] = "wardround-exchange-tls",
    names: Annotated[list[str], typer.Option(help="DNS name or IP address; may be repeated.")] = [],  # noqa: B006
    namespace: Namespace = None,
) -> None:
    """Make the exchange's certificate, or renew it when it ends soon."""
    from wardround.cluster.certificate_secrets import ensure_certificate
    from wardround.cluster.settings import CertificateSettings

    given = (
        _settings(config).certificate if config else CertificateSettings(secret=secret, names=tuple(names))
    )
    if given is None:
        echo("the exchange's certificate is not ours")
        return
    found = ensure_certificate(given, _secrets(namespace))
    echo(f"{given.secret}: {'made' if found.certificate_made else 'good'}, for {', '.join(given.names)}")


def exchange(
    config: Config,
    rotate: Rotate = [],  # noqa: B006
    retire: Annotated[list[str], typer.Option(help="Whose former keys to end; a name, or 'all'.")] = [],  # noqa: B006
    namespace: Namespace = None,
) -> None:
    """Make buckets, policies and users what the list of hospitals says; renew credentials."""
    from wardround.cluster.exchange import set_up
    from wardround.cluster.exchange_server import administrator, set_up_foreign

    settings, store = _settings(config), _secrets(namespace)
    if settings.exchange.users == "none":
        echo(f"buckets: {', '.join(set_up_foreign(settings, store))}; identities are made by hand")
        return
    with administrator(settings, store) as server:
        change = set_up(settings, store, server, rotate=rotate, retire=retire)
    for name, access_key in change.access_keys.items():
        echo(f"{name}: access key {access_key}{' (new)' if name in change.rotated else ''}")
    for what, found in (("buckets made", change.buckets_made), ("users removed", change.removed)):
        echo(f"{what}: {', '.join(found) or 'none'}")
    echo(f"former keys that still work: {', '.join(change.former) or 'none'}")


def policies(
    config: Config,
    minio: Annotated[bool, typer.Option(help="With the actions that only MinIO knows.")] = False,
) -> None:
    """Print every identity's policy, for a server whose identities are made by hand."""
    from wardround.cluster.identities import identities

    found = {each.name: each.policy for each in identities(_settings(config), minio=minio)}
    typer.echo(json.dumps(found, indent=2))


def mlflow_users(
    config: Config,
    rotate: Rotate = [],  # noqa: B006
    remove_unlisted: Annotated[bool, typer.Option(help="Remove users that are not in the file.")] = True,
    namespace: Namespace = None,
) -> None:
    """Make MLflow's users what the file says; renew passwords."""
    from wardround.cluster.mlflow_users import set_up_users

    settings = _settings(config).mlflow
    if settings is None:
        echo("there is no MLflow of ours")
        return
    change = set_up_users(settings, _secrets(namespace), rotate=rotate, remove_unlisted=remove_unlisted)
    for what, found in (("users", change.users), ("renewed", change.rotated), ("removed", change.removed)):
        echo(f"{what}: {', '.join(found) or 'none'}")


def _settings(config: Path) -> "ClusterSettings":
    from wardround.cluster.settings import ClusterSettings
    from wardround.processes import load_settings

    return load_settings(ClusterSettings, config, _PREFIX)


def _secrets(namespace: str | None) -> "Secrets":
    from wardround.cluster.connect import connect
    from wardround.cluster.secrets import Secrets

    return Secrets(connect(namespace))
