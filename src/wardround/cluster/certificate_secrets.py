"""`wardround cluster certificate`: the exchange's certificate and its authority, in two Secrets, always good."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from wardround.cluster.certificate import Pair, is_good, make_authority, make_server
from wardround.cluster.credentials import CA_FILE, BrokenSecretError, SecretStore
from wardround.cluster.secrets import Stored
from wardround.cluster.settings import CertificateSettings

_CERTIFICATE, _KEY, _CA_KEY = "tls.crt", "tls.key", "ca.key"
_AUTHORITY_NAME = "Wardround exchange authority"


@dataclass(frozen=True)
class Result:
    """What was found or made; `certificate` and `authority` are public (PEM)."""

    certificate: bytes
    authority: bytes
    authority_made: bool
    certificate_made: bool


def ensure_certificate(
    settings: CertificateSettings, store: SecretStore, now: datetime | None = None
) -> Result:
    """Makes the authority if there is none, and the certificate if it is none, ends soon, or has other names.

    The server notices the new files by itself; clients go on, because the authority stays.
    Raises BrokenSecretError, ConfigurationError, ClusterError.
    """
    moment = now or datetime.now(UTC)
    kept = store.create_if_absent(
        settings.authority_secret,
        lambda: _authority_content(make_authority(_AUTHORITY_NAME, settings.authority_days, moment)),
    )
    authority = Pair(_part(kept, CA_FILE), _part(kept, _CA_KEY))

    def fresh() -> dict[str, bytes]:
        made = make_server(authority, settings.names, settings.days, moment)
        return {_CERTIFICATE: made.certificate, _KEY: made.key, CA_FILE: authority.certificate}

    stored = store.create_if_absent(settings.secret, fresh)
    made = stored.created
    if not made and not _serves(stored.content, authority, settings, moment):
        stored, made = store.patch(settings.secret, fresh()), True
    return Result(_part(stored, _CERTIFICATE), authority.certificate, kept.created, made)


def _serves(
    content: Mapping[str, bytes], authority: Pair, settings: CertificateSettings, now: datetime
) -> bool:
    known = content.get(CA_FILE) == authority.certificate and content.get(_KEY)
    certificate = content.get(_CERTIFICATE, b"")
    return bool(known) and is_good(certificate, authority.certificate, settings.names, settings.days, now)


def _authority_content(authority: Pair) -> dict[str, bytes]:
    return {CA_FILE: authority.certificate, _CA_KEY: authority.key}


def _part(stored: Stored, name: str) -> bytes:
    if not (found := stored.content.get(name)):
        raise BrokenSecretError(f"Secret {stored.name!r} has no {name}; give it, or delete the Secret")
    return found
