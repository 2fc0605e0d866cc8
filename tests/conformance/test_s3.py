"""What holds for servers only: identities, networks that break, certificates, events."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from wardround.exchange.errors import (
    DeniedError,
    ExistsError,
    OversizedError,
    UnavailableError,
    UntrustedError,
)
from wardround.exchange.s3 import S3Exchange
from wardround.exchange.settings import S3Settings, from_environment
from wardround.exchange.store import Store
from wardround.local.seaweed import Identity, SeaweedServer

from .certificates import self_signed
from .conftest import Backend, free_port
from .tap import Tap

BUCKET = "wardround-servers"


@pytest.fixture
def tap(server: Backend) -> Iterator[Tap]:
    with Tap(int(urlsplit(server.address).port or 0)) as tap:
        yield tap


@pytest.fixture
def tapped(server: Backend, tap: Tap) -> Iterator[Store]:
    """A bucket that is reached through the tap."""
    exchange = S3Exchange(from_environment(tap.address, server.environment))
    exchange.create_bucket(BUCKET)
    yield exchange.store(BUCKET)
    exchange.close()


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    return f"keys/{time.monotonic_ns()}"


def test_an_oversized_object_is_refused_before_it_is_downloaded(
    tapped: Store, tap: Tap, key: str, tmp_path: Path
) -> None:
    tapped.put_new(key, b"x" * (64 << 20))
    before = tap.down
    with pytest.raises(OversizedError):
        tapped.get(key, limit=(64 << 20) - 1)
    with pytest.raises(OversizedError):
        tapped.download(key, tmp_path / "copy", limit=1000)
    # What the server had sent off before we hung up fills buffers of the system and of the tap, no more.
    assert tap.down - before < 32 << 20


def test_a_broken_download_is_repeated_and_leaves_no_half_file(
    tapped: Store, tap: Tap, key: str, tmp_path: Path
) -> None:
    data = bytes(range(256)) * 20000
    tapped.put_new(key, data)
    tap.cut_after = 1 << 20
    with pytest.raises(UnavailableError):
        tapped.download(key, tmp_path / "copy", limit=len(data))
    with pytest.raises(UnavailableError):
        tapped.get(key, limit=len(data))
    assert tap.broken > 2
    assert list(tmp_path.iterdir()) == []
    tap.cut_after = None
    tapped.download(key, tmp_path / "copy", limit=len(data))
    assert (tmp_path / "copy").read_bytes() == data


def test_a_write_whose_answer_is_lost_counts_as_done(
    tapped: Store, tap: Tap, key: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"x" * 5_000_000)
    tapped.exists(key)
    for name, write in (
        ("a", lambda key: tapped.put_new(key, b"mine")),
        ("b", lambda key: tapped.upload_new(key, tmp_path / "file")),
    ):
        tap.swallow, tap.broken = 1, 0
        write(f"{key}/{name}")
        assert tap.broken == 1
        assert tapped.exists(f"{key}/{name}")
    assert tapped.get(f"{key}/a", limit=4) == b"mine"


def test_a_lost_answer_does_not_hide_that_somebody_else_was_first(
    tapped: Store, tap: Tap, key: str, server: Backend
) -> None:
    tapped.put_new(key, b"theirs")
    tap.swallow, tap.broken = 1, 0
    with pytest.raises(ExistsError):
        tapped.put_new(key, b"mine!!")
    assert tap.broken == 1


def test_a_connection_that_the_server_closed_meanwhile_is_opened_again(
    tapped: Store, tap: Tap, key: str
) -> None:
    tapped.put_new(key, b"x")
    for _ in range(3):
        tap.swallow = 1
        assert tapped.get(key, limit=1) == b"x"


@pytest.mark.parametrize("wrong", ["access_key", "secret_key"])
def test_wrong_credentials_are_denied_and_no_error_shows_a_secret(server: Backend, wrong: str) -> None:
    right = from_environment(server.address, server.environment)
    keys = {"access_key": right.access_key, "secret_key": right.secret_key.get_secret_value()}
    keys |= {wrong: "wrong-" + "s" * 30}
    store = S3Exchange(S3Settings(endpoint=server.address, **keys)).store(BUCKET)
    for use in (
        lambda: store.get("a", limit=1),
        lambda: store.size("a"),
        lambda: store.put_new("a", b""),
        lambda: list(store.list("")),
    ):
        with pytest.raises(DeniedError) as refusal:
            use()
        assert keys["secret_key"] not in _everything(refusal.value)
        assert keys["secret_key"] not in repr(store) + repr(right)


def test_a_server_that_is_away_is_called_unavailable() -> None:
    store = S3Exchange(_settings(f"http://127.0.0.1:{free_port()}")).store(BUCKET)
    with pytest.raises(UnavailableError):
        store.get("a", limit=1)


def test_a_server_that_never_answers_cannot_hold_a_process_that_is_to_stop() -> None:
    stop = threading.Event()
    store = S3Exchange(_settings(f"http://127.0.0.1:{free_port()}"), stop).store(BUCKET)
    stop.set()
    with pytest.raises(UnavailableError):
        store.put_new("a", b"")


@pytest.mark.parametrize(
    "greeting",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 5\r\n\r\n<html",
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/xml\r\nContent-Length: 5\r\n\r\n<html",
        b"HTTP/1.1 503 Busy\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
    ],
)
def test_something_that_is_no_s3_server_is_called_unavailable(greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                client.recv(9999)
                client.sendall(greeting)
                client.close()

        threading.Thread(target=answer, daemon=True).start()
        store = S3Exchange(_settings(f"http://127.0.0.1:{server.getsockname()[1]}")).store(BUCKET)
        with pytest.raises(UnavailableError):
            list(store.list("a"))
        server.shutdown(socket.SHUT_RDWR)


def test_minio_tells_its_waiters_of_writes_under_their_prefix(minio: Backend) -> None:
    exchange = minio.open()
    exchange.create_bucket(BUCKET)
    store = exchange.store(BUCKET)
    mine, other = threading.Event(), threading.Event()
    with store.watch("mine/", mine) as watch, store.watch("other/", other):
        assert mine.wait(10)  # the listener is there, and says so
        assert watch.told
        mine.clear()
        other.clear()
        store.put_new(f"mine/{time.monotonic_ns()}", b"")
        assert mine.wait(10)
        assert not other.is_set()
    exchange.close()


def test_a_lost_event_connection_makes_its_waiters_poll(minio: Backend) -> None:
    with Tap(int(urlsplit(minio.address).port or 0)) as tap:
        exchange = S3Exchange(from_environment(tap.address, minio.environment))
        exchange.create_bucket(BUCKET)
        bell = threading.Event()
        with exchange.store(BUCKET).watch("", bell) as watch:
            assert bell.wait(10)
            bell.clear()
            tap.cut_after = 0
            assert bell.wait(10)  # woken to poll
            assert not watch.told
        exchange.close()


def test_seaweedfs_has_no_events_and_is_polled(seaweedfs: Backend) -> None:
    exchange = seaweedfs.open()
    exchange.create_bucket(BUCKET)
    bell = threading.Event()
    with exchange.store(BUCKET).watch("", bell) as watch:
        assert bell.wait(10)
        assert not watch.told
    exchange.close()


def test_https_works_with_the_own_authority_and_is_refused_without(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    admin = Identity.generate("admin", ["Admin"])
    with SeaweedServer(tmp_path / "server", [admin], certificate) as server:
        assert server.endpoint.startswith("https://")

        def settings(ca_file: Path | None) -> S3Settings:
            return S3Settings(
                endpoint=server.endpoint,
                access_key=admin.access_key,
                secret_key=admin.secret_key,
                ca_file=ca_file,
            )

        trusting = S3Exchange(settings(certificate.certificate))
        trusting.create_bucket(BUCKET)
        trusting.store(BUCKET).put_new("a", b"over tls")
        assert trusting.store(BUCKET).get("a", limit=99) == b"over tls"
        trusting.close()
        with pytest.raises(UntrustedError) as refusal:
            S3Exchange(settings(None)).store(BUCKET).get("a", limit=99)
        assert refusal.value.code == "untrusted-certificate"


def _settings(endpoint: str) -> S3Settings:
    return S3Settings(endpoint=endpoint, access_key="a", secret_key="b" * 20)


def _everything(error: BaseException | None) -> str:
    texts = []
    while error is not None:
        texts.append(f"{error} {error!r} {vars(error)}")
        error = error.__cause__ or error.__context__
    return "\n".join(texts)
