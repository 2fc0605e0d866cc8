"""Keys to the exchange, in Secrets: one for each identity, in the forms that its readers want.

`s3.json` is for Wardround, `credentials` (an AWS shared credentials file) for MLflow's S3 client, `ca.crt` the
authority to trust, where the server has one of its own.
"""

import json
import secrets as random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from wardround.cluster.errors import ClusterError
from wardround.cluster.identities import Identity
from wardround.cluster.secrets import Content, Stored

_FILE = "s3.json"
_AWS_FILE = "credentials"
CA_FILE = "ca.crt"


class SecretStore(Protocol):
    """What is needed of `secrets.Secrets`."""

    def read(self, name: str) -> Stored | None:
        """The Secret, or None."""

    def create_if_absent(self, name: str, make: Callable[[], Content]) -> Stored:
        """The Secret, made if there is none."""

    def patch(self, name: str, content: Mapping[str, bytes | None]) -> Stored:
        """The Secret with these keys changed."""


class BrokenSecretError(ClusterError):
    """A Secret is not of the form that it should have."""

    code = "broken-secret"


class _Keys(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    access_key: str
    secret_key: str


@dataclass(frozen=True)
class Credential:
    """An access key and its secret."""

    access_key: str
    secret_key: str = field(repr=False)

    @classmethod
    def generate(cls, name: str) -> "Credential":
        """New random keys; the access key starts with the name, and is another one each time."""
        # MinIO takes at most 40 characters of secret.
        return cls(f"{name}-{random.token_hex(4)}", random.token_hex(20))

    def content(self) -> dict[str, bytes]:
        """The keys of a Secret."""
        keys = {"access_key": self.access_key, "secret_key": self.secret_key}
        aws = f"[default]\naws_access_key_id = {self.access_key}\naws_secret_access_key = {self.secret_key}\n"
        return {_FILE: json.dumps(keys).encode(), _AWS_FILE: aws.encode()}


def credential_in(stored: Stored) -> Credential:
    """The credential in a Secret. Raises BrokenSecretError, which never quotes it."""
    try:
        keys = _Keys.model_validate_json(stored.content.get(_FILE, b""))
    except ValidationError:
        raise BrokenSecretError(
            f"Secret {stored.name!r} has no {_FILE} of the form "
            '{"access_key": "…", "secret_key": "…"}; correct it, or delete it to have it made anew'
        ) from None
    return Credential(keys.access_key, keys.secret_key)


def credential_of(identity: Identity, store: SecretStore, authority: bytes | None) -> Credential:
    """The identity's credential; made where there is none. Its Secret gets the authority to trust.

    The Secret is always written before the server hears of the key: what breaks off between the two is
    finished by the next start, and no key is ever lost.
    """
    stored = store.create_if_absent(identity.secret, Credential.generate(identity.name).content)
    if stored.content.get(CA_FILE) != authority:
        stored = store.patch(identity.secret, {CA_FILE: authority})
    return credential_in(stored)


def renew_credential(identity: Identity, store: SecretStore) -> Credential:
    """A new credential in place of the one in the identity's Secret, which must be there."""
    fresh = Credential.generate(identity.name)
    store.patch(identity.secret, fresh.content())
    return fresh
