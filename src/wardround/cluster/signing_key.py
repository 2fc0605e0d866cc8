"""A party's signing key in a Secret: made once, never replaced, its public half for everybody to read."""

from dataclasses import dataclass

from wardround.cluster.secrets import Content, Secrets
from wardround.errors import ConfigurationError
from wardround.exchange.envelope import PublicKey, SigningKey

PRIVATE, PUBLIC = "key.pem", "public.txt"


@dataclass(frozen=True)
class KeptKey:
    """The public half of the key in a Secret; `created` says whether it was made just now."""

    public: PublicKey
    created: bool


def keep_signing_key(secrets: Secrets, name: str) -> KeptKey:
    """The Ed25519 key in the Secret `name`, made if there is no such Secret.

    Raises ConfigurationError when a Secret is there that holds no such key: another one is never written over it.
    """
    stored = secrets.create_if_absent(name, _new_key)
    where = f"{PRIVATE} of Secret {name!r} in namespace {secrets.cluster.namespace!r}"
    if PRIVATE not in stored.content:
        raise ConfigurationError(f"there is no {where}; store the key under that name, or delete the Secret")
    return KeptKey(SigningKey.from_pem(stored.content[PRIVATE], where).public, stored.created)


def _new_key() -> Content:
    key = SigningKey.generate()
    return {PRIVATE: key.pem(), PUBLIC: key.public.text.encode("ascii")}
