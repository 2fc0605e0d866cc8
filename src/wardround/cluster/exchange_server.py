"""The server behind an exchange's settings: MinIO seen by its administrator, or any S3 seen by the coordinator."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import tenacity
from pydantic import SecretStr

from wardround.cluster.credentials import CA_FILE, BrokenSecretError, Credential, SecretStore, credential_in
from wardround.cluster.exchange import trusted_authority
from wardround.cluster.identities import buckets, identities
from wardround.cluster.minio_server import MinioServer
from wardround.cluster.settings import ClusterSettings
from wardround.exchange.errors import UnavailableError
from wardround.exchange.s3 import S3Exchange
from wardround.exchange.settings import S3Settings


@contextmanager
def administrator(settings: ClusterSettings, store: SecretStore) -> Iterator[MinioServer]:
    """MinIO, by its root Secret. Raises BrokenSecretError."""
    stored = store.read(settings.exchange.root_secret)
    user, password = (
        (stored.content.get(key, b"") for key in ("rootUser", "rootPassword")) if stored else (b"", b"")
    )
    if not user or not password:
        raise BrokenSecretError(
            f"Secret {settings.exchange.root_secret!r} is not there or lacks rootUser and rootPassword, the exchange's "
            "administrator"
        )
    with _authority_file(settings, store) as ca_file:
        yield MinioServer(
            settings.exchange.endpoint,
            Credential(user.decode(), password.decode()),
            ca_file=ca_file,
            region=settings.exchange.region,
            patience_s=settings.exchange.patience_s,
        )


def set_up_foreign(settings: ClusterSettings, store: SecretStore) -> tuple[str, ...]:
    """An S3 server whose identities are made by hand: every bucket is there, made where that is allowed.

    Returns the buckets. Uses the coordinator's credential, which must be in its Secret already.
    Raises BrokenSecretError, MissingBucketError, DeniedError, UnavailableError.
    """
    coordinator = next(iter(identities(settings)))
    if (stored := store.read(coordinator.secret)) is None:
        raise BrokenSecretError(
            f"Secret {coordinator.secret!r} with the coordinator's credential is not there"
        )
    own = credential_in(stored)
    with _authority_file(settings, store) as ca_file:
        exchange = S3Exchange(
            S3Settings(
                endpoint=settings.exchange.endpoint,
                access_key=own.access_key,
                secret_key=SecretStr(own.secret_key),
                region=settings.exchange.region,
                ca_file=ca_file,
                allow_http=settings.exchange.allow_http,
            )
        )
        try:
            for name in _buckets_of_coordinator(settings):
                _patiently(settings, exchange, name)
        finally:
            exchange.close()
    return _buckets_of_coordinator(settings)


def _buckets_of_coordinator(settings: ClusterSettings) -> tuple[str, ...]:
    """All but MLflow's, which the coordinator need not be able to see."""
    return tuple(name for name in buckets(settings) if name != settings.exchange.artifacts_bucket)


def _patiently(settings: ClusterSettings, exchange: S3Exchange, bucket: str) -> None:
    for attempt in tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(UnavailableError),
        stop=tenacity.stop_after_delay(settings.exchange.patience_s),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=5),
        reraise=True,
    ):
        with attempt:
            if settings.exchange.create_buckets:
                exchange.create_bucket(bucket)
            list(exchange.store(bucket).list("federation.json"))


@contextmanager
def _authority_file(settings: ClusterSettings, store: SecretStore) -> Iterator[Path | None]:
    authority = trusted_authority(settings, store)
    if authority is None:
        yield None
        return
    with TemporaryDirectory(prefix="wardround-") as folder:
        path = Path(folder) / CA_FILE
        path.write_bytes(authority)
        yield path
