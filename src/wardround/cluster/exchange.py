"""`wardround cluster exchange`: the exchange as the list of hospitals says it should be.

    list of hospitals ──► Secrets (absent ones made) ──► buckets, policies, users ──► users that are no longer
                                                                                      listed are removed

Every run ends with the same exchange, however many runs broke off before it. Buckets and Secrets are never
removed: a hospital that is listed again finds its bucket and its credential.

A rotation makes a second user with a new access key, and leaves the former one: a hospital that is told of its
new credential by hand needs the old one until then. `retire` removes what a rotation left.
"""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from wardround.cluster.credentials import (
    CA_FILE,
    BrokenSecretError,
    Credential,
    SecretStore,
    credential_of,
    renew_credential,
)
from wardround.cluster.identities import Identity, buckets, identities, policy_prefix
from wardround.cluster.minio_server import MinioServer
from wardround.cluster.settings import ClusterSettings
from wardround.errors import ConfigurationError

_LOG = logging.getLogger(__name__)
ALL = "all"


@dataclass(frozen=True)
class Change:
    """What a run of `set_up` found and did: names and access keys, no secret."""

    buckets_made: tuple[str, ...]
    access_keys: dict[str, str]
    rotated: tuple[str, ...]
    removed: tuple[str, ...]
    former: tuple[str, ...]


def make_credentials(settings: ClusterSettings, store: SecretStore) -> dict[str, Credential]:
    """Every identity's credential, by its name; those that have no Secret yet are made.

    Raises BrokenSecretError, ClusterError.
    """
    authority = trusted_authority(settings, store)
    return {each.name: credential_of(each, store, authority) for each in identities(settings)}


def trusted_authority(settings: ClusterSettings, store: SecretStore) -> bytes | None:
    """The PEM certificates that a client of the exchange must trust; None where the usual ones do.

    Raises BrokenSecretError where the Secret that should hold them does not.
    """
    name = settings.exchange.tls_secret
    if name is None or not settings.secure:
        return None
    stored = store.read(name)
    if stored is None or not (found := stored.content.get(CA_FILE)):
        raise BrokenSecretError(
            f"Secret {name!r} is not there or has no {CA_FILE}; hospitals need it to know the exchange"
        )
    return found


def set_up(
    settings: ClusterSettings,
    store: SecretStore,
    server: MinioServer,
    *,
    rotate: Collection[str] = (),
    retire: Collection[str] = (),
) -> Change:
    """Makes the exchange what the settings say. `rotate` and `retire`: identities by name, or `all`.

    Raises ConfigurationError for a name that is nobody's, AdminError, ClusterError.
    """
    every = identities(settings)
    rotated, retired = _named(every, rotate), _named(every, retire)
    made = tuple(name for name in buckets(settings) if server.make_bucket(name))
    credentials = make_credentials(settings, store)
    for identity in rotated:
        credentials[identity.name] = renew_credential(identity, store)
    for identity in every:
        server.set_policy(identity.policy_name, identity.policy)
        server.set_user(credentials[identity.name], identity.policy_name)
    removed, former = _clean(settings, server, credentials, {each.policy_name for each in retired})
    names = {name: credential.access_key for name, credential in credentials.items()}
    return Change(made, names, tuple(each.name for each in rotated), removed, former)


def _named(every: Iterable[Identity], names: Collection[str]) -> list[Identity]:
    known = {each.name: each for each in every}
    if unknown := sorted(set(names) - known.keys() - {ALL}):
        raise ConfigurationError(
            f"{', '.join(unknown)}: no such identity; there are {', '.join(known)}, and {ALL!r} for all of them"
        )
    return [each for name, each in known.items() if name in names or ALL in names]


def _clean(
    settings: ClusterSettings, server: MinioServer, credentials: dict[str, Credential], retired: set[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Removes users of identities that are not listed, and those that are retired; (removed, still there)."""
    listed = {each.policy_name for each in identities(settings)}
    current = {credential.access_key for credential in credentials.values()}
    others = [
        user
        for user in server.users()
        if user.policy.startswith(policy_prefix(settings)) and user.access_key not in current
    ]
    gone = [user.access_key for user in others if user.policy not in listed or user.policy in retired]
    for access_key in gone:
        server.remove_user(access_key)
    server.remove_policies(policy_prefix(settings), listed)
    return tuple(gone), tuple(user.access_key for user in others if user.access_key not in gone)
