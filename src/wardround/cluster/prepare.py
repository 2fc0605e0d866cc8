"""`wardround cluster prepare`: all that must be there before a server starts; what is there stays as it is.

Made: the exchange's administrator and certificate, everybody's credentials, MLflow's database password,
configuration and users' passwords. Nothing here talks to a server, so it runs before there is one.
"""

import secrets as random
from collections.abc import Mapping
from urllib.parse import quote

from wardround.cluster.certificate_secrets import ensure_certificate
from wardround.cluster.credentials import BrokenSecretError, SecretStore
from wardround.cluster.exchange import make_credentials
from wardround.cluster.identities import identities
from wardround.cluster.mlflow_users import make_passwords, secret_names
from wardround.cluster.settings import ClusterSettings, DatabaseSettings, MlflowSettings

_URI = "uri"
_PASSWORD_SECONDS = 60
# The driver in MLflow's image. SQLAlchemy's own choice for an address that names none changes with its versions.
_DRIVER = "postgresql+psycopg2"


def prepare(settings: ClusterSettings, store: SecretStore) -> tuple[str, ...]:
    """The names of all Secrets that are now there. Raises ClusterError, BrokenSecretError, ConfigurationError."""
    found: list[str] = []
    if settings.certificate is not None:
        ensure_certificate(settings.certificate, store)
        found += [settings.certificate.authority_secret, settings.certificate.secret]
    if settings.exchange.users == "minio":
        store.create_if_absent(settings.exchange.root_secret, _root)
        make_credentials(settings, store)
        found += [settings.exchange.root_secret, *(each.secret for each in identities(settings))]
    if settings.mlflow is not None:
        found += _prepare_mlflow(settings.mlflow, store)
    return tuple(found)


def _prepare_mlflow(settings: MlflowSettings, store: SecretStore) -> list[str]:
    database = settings.database
    if database is not None:
        store.create_if_absent(database.secret, lambda: _database(database))
    make_passwords(settings, store)
    uri = _database_uri(settings, store)
    wanted = {"basic_auth.ini": _configuration(settings, uri), "database-uri": uri.encode()}
    stored = store.create_if_absent(settings.server_secret, lambda: _server(wanted))
    if not wanted.items() <= stored.content.items():
        store.patch(settings.server_secret, wanted)
    return [settings.database_secret, settings.server_secret, *secret_names(settings).values()]


def _root() -> Mapping[str, bytes]:
    return {
        "rootUser": f"root-{random.token_hex(4)}".encode(),
        "rootPassword": random.token_hex(20).encode(),
    }


def _database(settings: DatabaseSettings) -> Mapping[str, bytes]:
    password = random.token_urlsafe(24)
    uri = f"{_DRIVER}://{settings.user}:{quote(password)}@{settings.host}:{settings.port}/{settings.name}"
    return {"password": password.encode(), _URI: uri.encode()}


def _server(content: Mapping[str, bytes]) -> Mapping[str, bytes]:
    return {"flask-secret-key": random.token_hex(32).encode(), **content}


def _configuration(settings: MlflowSettings, uri: str) -> bytes:
    """MLflow's basic_auth.ini: who asks for nothing in particular may read, and nothing else."""
    lines = [
        "[mlflow]",
        "default_permission = READ",
        # Without this, MLflow gives a user who has no role no permission at all, not even the default one.
        "grant_default_workspace_access = true",
        # A percent sign starts a reference in an ini file.
        f"database_uri = {uri.replace('%', '%%')}",
        f"admin_username = {settings.admin}",
        # A request checks its password several times, and a password is made to take a tenth of a second. This is also
        # how long one that was taken away still opens the door.
        f"auth_cache_ttl_seconds = {_PASSWORD_SECONDS}",
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth",
    ]
    return ("\n".join(lines) + "\n").encode()


def _database_uri(settings: MlflowSettings, store: SecretStore) -> str:
    stored = store.read(settings.database_secret)
    if stored is None or not (uri := stored.content.get(_URI, b"").decode().strip()):
        raise BrokenSecretError(
            f"Secret {settings.database_secret!r} is not there or has no {_URI}; it must hold the address of MLflow's "
            "database, postgresql://USER:PASSWORD@HOST:PORT/NAME"
        )
    scheme, found, rest = uri.partition("://")
    if "\n" in uri or not found or scheme.split("+")[0] not in ("postgresql", "postgres"):
        raise BrokenSecretError(
            f"Secret {settings.database_secret!r}: {_URI} is not of the form postgresql://USER:PASSWORD@HOST:PORT/NAME"
        )
    return f"{_DRIVER}://{rest}"
