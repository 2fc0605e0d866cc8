"""The exchange's certificate: made once, renewed in time, and accepted by a TLS client that knows its authority."""

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from memory_secrets import MemorySecrets

from wardround.cluster.certificate import is_good, make_authority, make_server
from wardround.cluster.certificate_secrets import ensure_certificate
from wardround.cluster.credentials import BrokenSecretError
from wardround.cluster.settings import CertificateSettings
from wardround.errors import ConfigurationError

NOW = datetime.now(UTC)
SETTINGS = CertificateSettings(names=("localhost", "127.0.0.1"), days=90)
TLS, CA = SETTINGS.secret, SETTINGS.authority_secret


@pytest.fixture
def store() -> MemorySecrets:
    return MemorySecrets()


@pytest.fixture
def address(store: MemorySecrets, tmp_path: Path) -> Iterator[int]:
    """The port of a TLS server with the certificate of `store`; it greets each client."""
    ensure_certificate(SETTINGS, store)
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_bytes(store.content[TLS][name])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_greet, args=(server, context), daemon=True).start()
    yield int(server.getsockname()[1])
    server.close()


def _greet(server: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        try:
            with context.wrap_socket(client, server_side=True) as inner:
                inner.sendall(b"hello")
        except OSError:
            continue  # a client that does not trust us hangs up


def _greeting(port: int, name: str, authority: bytes) -> bytes:
    context = ssl.create_default_context(cadata=authority.decode())
    # As strict as Python 3.13 is by default: RFC 5280 in full.
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_connection(("127.0.0.1", port)) as plain:
        with context.wrap_socket(plain, server_hostname=name) as inner:
            return inner.recv(5)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_strict_client_that_knows_the_authority_accepts_the_server(
    address: int, store: MemorySecrets, name: str
) -> None:
    assert _greeting(address, name, store.content[TLS]["ca.crt"]) == b"hello"


def test_a_client_asks_for_another_name_and_refuses_the_server(address: int, store: MemorySecrets) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        _greeting(address, "example.org", store.content[TLS]["ca.crt"])


def test_a_client_with_another_authority_refuses_the_server(address: int) -> None:
    other = make_authority("Wardround exchange authority", 100, NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        _greeting(address, "localhost", other.certificate)


def test_a_second_start_changes_nothing(store: MemorySecrets) -> None:
    first = ensure_certificate(SETTINGS, store)
    writes = store.writes
    second = ensure_certificate(SETTINGS, store)
    assert (first.certificate_made, second.certificate_made, store.writes) == (True, False, writes)
    assert second.certificate == first.certificate


def test_it_is_renewed_by_the_same_authority_in_its_last_third(store: MemorySecrets) -> None:
    first = ensure_certificate(SETTINGS, store, NOW)
    assert not ensure_certificate(SETTINGS, store, NOW + timedelta(days=59)).certificate_made
    later = ensure_certificate(SETTINGS, store, NOW + timedelta(days=61))
    assert later.certificate_made and later.authority == first.authority
    renewed = x509.load_pem_x509_certificate(later.certificate)
    assert renewed.not_valid_after_utc > NOW + timedelta(days=150)


def test_a_new_name_means_a_new_certificate(store: MemorySecrets) -> None:
    ensure_certificate(SETTINGS, store)
    wider = SETTINGS.model_copy(update={"names": ("localhost", "127.0.0.1", "exchange.example.org")})
    assert ensure_certificate(wider, store).certificate_made


@pytest.mark.parametrize("key", ["tls.crt", "tls.key", "ca.crt"])
def test_a_damaged_secret_is_repaired(store: MemorySecrets, key: str) -> None:
    ensure_certificate(SETTINGS, store)
    store.content[TLS][key] = b""
    assert ensure_certificate(SETTINGS, store).certificate_made
    assert not ensure_certificate(SETTINGS, store).certificate_made


def test_an_authority_without_its_key_is_refused_and_nothing_is_written(store: MemorySecrets) -> None:
    ensure_certificate(SETTINGS, store)
    del store.content[CA]["ca.key"], store.content[TLS]
    with pytest.raises(BrokenSecretError, match=r"ca\.key"):
        ensure_certificate(SETTINGS, store)
    assert TLS not in store.content


def test_another_authoritys_key_is_refused(store: MemorySecrets) -> None:
    ensure_certificate(SETTINGS, store)
    store.content[CA]["ca.key"] = make_authority("other", 100, NOW).key
    del store.content[TLS]
    with pytest.raises(ConfigurationError, match="make it anew"):
        ensure_certificate(SETTINGS, store)


def test_a_certificate_never_outlives_its_authority() -> None:
    authority = make_authority("short", 30, NOW)
    with pytest.raises(ConfigurationError, match="authority's certificate ends") as caught:
        make_server(authority, ["localhost"], 31, NOW)
    assert caught.value.code == "authority-ends"


@pytest.mark.parametrize(
    "pem", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_is_not_good(pem: bytes) -> None:
    authority = make_authority("a", 100, NOW)
    assert not is_good(pem, authority.certificate, ["localhost"], 90, NOW)


def test_no_private_key_shows_in_a_representation() -> None:
    authority = make_authority("a", 100, NOW)
    assert "PRIVATE" not in repr(authority)
