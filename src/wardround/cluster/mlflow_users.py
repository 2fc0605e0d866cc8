"""`wardround cluster mlflow-users`: MLflow's users as the settings say, with their passwords in Secrets.

    admin         only for this command, and for people who must repair something
    coordinator   makes experiments and models, and writes to all of them
    readers       look at everything, change nothing: hospitals, data scientists

Passwords are made here and never printed. A Secret is written before the server hears of its password, so a
start that broke off is finished by the next. The administrator's own needs a step more: the server knows the
old one until it has taken the new one, so the new one waits in the Secret beside it.
"""

import secrets as random
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from wardround.cluster.credentials import BrokenSecretError, Credential, SecretStore
from wardround.cluster.mlflow_server import MlflowServer
from wardround.cluster.secrets import Stored
from wardround.cluster.settings import MlflowSettings
from wardround.errors import ConfigurationError

ALL = "all"
_USER, _PASSWORD, _NEXT = "username", "password", "next-password"
_WRITER = "wardround-writer"
# USE of the workspace is the right to make something in it. Makers manage what they made; the other two are for what
# somebody else made, an earlier coordinator's user for example.
_WRITES = {"workspace": "USE", "experiment": "EDIT", "registered_model": "EDIT"}


@dataclass(frozen=True)
class UserChange:
    """What a run found and did, by user name."""

    users: tuple[str, ...]
    rotated: tuple[str, ...]
    removed: tuple[str, ...]


def make_passwords(settings: MlflowSettings, store: SecretStore) -> dict[str, Credential]:
    """Every user's password, by user name; those without a Secret yet are made."""
    return {user: _kept(user, secret, store) for user, secret in secret_names(settings).items()}


def secret_names(settings: MlflowSettings) -> dict[str, str]:
    """The Secret of every user."""
    readers = {reader: f"{settings.reader_prefix}-{reader}" for reader in settings.readers}
    own = {settings.admin: settings.admin_secret, settings.coordinator: settings.coordinator_secret}
    return own | readers


def set_up_users(
    settings: MlflowSettings,
    store: SecretStore,
    *,
    rotate: Collection[str] = (),
    remove_unlisted: bool = True,
) -> UserChange:
    """Makes MLflow's users what the settings say. `rotate`: users by name, or `all`.

    Raises ConfigurationError for a name that is nobody's, MlflowError, ClusterError.
    """
    known = make_passwords(settings, store)
    if unknown := sorted(set(rotate) - known.keys() - {ALL}):
        raise ConfigurationError(
            f"{', '.join(unknown)}: MLflow has no such user of ours; there are {', '.join(known)}, and {ALL!r}"
        )
    rotated = tuple(user for user in known if user in rotate or ALL in rotate)
    server = _settled(settings, store, anew=settings.admin in rotated)
    there = server.names()
    for user in known.keys() - {settings.admin}:
        password = _renewed(user, settings, store) if user in rotated else known[user]
        (server.set_password if user in there else server.create)(password)
    server.assign(settings.coordinator, server.role(_WRITER, _WRITES))
    unlisted = sorted(there - known.keys()) if remove_unlisted else []
    for user in unlisted:
        server.delete(user)
    return UserChange(tuple(known), rotated, tuple(unlisted))


def _settled(settings: MlflowSettings, store: SecretStore, *, anew: bool) -> MlflowServer:
    """The server, seen by its administrator, whose password is renewed where that is asked for or was begun."""
    secret = settings.admin_secret
    stored = store.read(secret)
    if stored is None:
        raise BrokenSecretError(f"Secret {secret!r} of MLflow's administrator is not there")
    current, coming = _in(stored, settings.admin), stored.content.get(_NEXT)
    if coming is None and not anew:
        return _server(settings, current)
    if coming is None:
        coming = _password()
        store.patch(secret, {_NEXT: coming})
    fresh = Credential(settings.admin, coming.decode())
    if not _server(settings, fresh).knows_me():
        _server(settings, current).set_password(fresh, current.secret_key)
    store.patch(secret, {_PASSWORD: coming, _NEXT: None})
    return _server(settings, fresh)


def _server(settings: MlflowSettings, identity: Credential) -> MlflowServer:
    return MlflowServer(settings.url, identity, settings.patience_s)


def _kept(user: str, secret: str, store: SecretStore) -> Credential:
    return _in(store.create_if_absent(secret, lambda: _content(user, _password())), user)


def _renewed(user: str, settings: MlflowSettings, store: SecretStore) -> Credential:
    return _in(store.patch(secret_names(settings)[user], {_PASSWORD: _password()}), user)


def _content(user: str, password: bytes) -> Mapping[str, bytes]:
    return {_USER: user.encode(), _PASSWORD: password}


def _in(stored: Stored, user: str) -> Credential:
    if stored.content.get(_USER) != user.encode() or not (password := stored.content.get(_PASSWORD)):
        raise BrokenSecretError(
            f"Secret {stored.name!r} must have {_USER} {user!r} and a {_PASSWORD}; correct it, or delete it"
        )
    return Credential(user, password.decode())


def _password() -> bytes:
    return random.token_urlsafe(24).encode()
