"""A bucket with more objects than anybody can list, and a server that sends a byte at a time."""

import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from federation import FEDERATION, SITES, Federation
from pydantic import SecretStr

from wardround.errors import RefusedError
from wardround.exchange import pace, store
from wardround.exchange.directory import DirectoryExchange
from wardround.exchange.envelope import SigningKey
from wardround.exchange.errors import ConflictError, UnavailableError
from wardround.exchange.layout import RUNS, Layout
from wardround.exchange.s3 import S3Exchange, S3Store
from wardround.exchange.settings import S3Settings
from wardround.exchange.store import put_idempotent, upload_idempotent
from wardround.site.pick import pick_run
from wardround.site.settings import SiteSettings

FLOOD = 600


def flood(bucket: S3Store, prefix: str, count: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: bucket.put_new(f"{prefix}{number:07d}.json", b"{}"), range(count)))


def test_a_site_that_floods_its_own_bucket_slows_nobody_and_the_run_ends_as_ever(
    federation: Federation,
) -> None:
    """The coordinator asks a site's bucket for keys that it knows, and never for what else is there."""
    own = federation.exchange("alder").store(Layout(FEDERATION).site("alder"))
    keys = federation.view.channel.keys
    for prefix in (keys.prefix, keys.round_prefix(1), f"{keys.round_prefix(1)}update.json"):
        flood(own, prefix, FLOOD // 3)
    assert [actor.wait() for actor in federation.start_all()] == [0, 0, 0, 0]
    outcomes = federation.outcomes()
    assert [outcome.accepted for outcome in outcomes] == [SITES] * 3
    assert sum(outcome.seconds["collect"] for outcome in outcomes) < 60


@pytest.fixture
def flooded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DirectoryExchange:
    """The federation's bucket with more runs than a site accepts; fewer here, so that it is quick."""
    monkeypatch.setattr(store, "MOST_KEYS", 50)
    exchange = DirectoryExchange(tmp_path / "exchange")
    exchange.create_bucket(Layout("ward").federation)
    for number in range(51):
        exchange.store(Layout("ward").federation).put_new(f"{RUNS}r{number}/run.json", b"{}")
    return exchange


def test_a_coordinator_that_floods_its_bucket_ends_a_sites_look_with_a_word(
    flooded: DirectoryExchange, tmp_path: Path
) -> None:
    SigningKey.generate().save(tmp_path / "site.pem")
    settings = SiteSettings(
        federation="ward",
        site="alder",
        exchange=str(flooded.root),
        key_file=tmp_path / "site.pem",
        coordinator_key=SigningKey.generate().public.text,
        work=tmp_path / "work",
        start_wait_s=0,
    )
    with pytest.raises(RefusedError, match="flooded") as refusal:
        pick_run(settings, flooded, threading.Event())
    assert refusal.value.code == "flooded"


def test_a_listing_ends_soon_after_its_limit_on_a_server(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = federation.exchange("birch").store(Layout(FEDERATION).site("birch"))
    flood(own, "flood/", 60)
    assert len(list(own.list("flood/"))) == 60
    monkeypatch.setattr(store, "MOST_KEYS", 50)
    for look in (lambda: own.list("flood/"), lambda: own.names("flood/")):
        with pytest.raises(RefusedError) as refusal:
            look()
        assert refusal.value.code == "flooded"


def test_comparing_with_a_large_object_takes_no_memory(federation: Federation, tmp_path: Path) -> None:
    own = federation.exchange("birch").store(Layout(FEDERATION).site("birch"))
    size, key = 48 << 20, f"large/{time.monotonic_ns()}"
    for name, last in (("mine", b"a"), ("other", b"b")):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size - 1)
            file.seek(size - 1)
            file.write(last)
    upload_idempotent(own, key, tmp_path / "mine")
    tracemalloc.start()
    upload_idempotent(own, key, tmp_path / "mine")
    with pytest.raises(ConflictError):
        upload_idempotent(own, key, tmp_path / "other")
    with pytest.raises(ConflictError):
        put_idempotent(own, key, b"short")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 << 20


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 100000\r\n\r\n"


@pytest.fixture
def dripping() -> Iterator[S3Store]:
    """A server that answers every request at once, with a byte every 20 ms."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip(client: socket.socket) -> None:
            with suppress(OSError), client:
                client.recv(1 << 16)
                client.sendall(HEAD)
                while True:
                    client.sendall(b"x")
                    time.sleep(0.02)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    threading.Thread(target=drip, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        settings = S3Settings(endpoint=address, access_key="a", secret_key=SecretStr("b" * 20))
        yield S3Exchange(settings).store("wardround-drip")
        server.shutdown(socket.SHUT_RDWR)


def test_a_download_that_drips_is_given_up_and_leaves_nothing(
    dripping: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100,000 bytes at 50 a second would be half an hour, in which no socket is ever silent."""
    monkeypatch.setattr(pace, "GRACE_SECONDS", 0.2)
    begun = time.monotonic()
    for read in (
        lambda: dripping.get("a", limit=100_000),
        lambda: dripping.download("a", tmp_path / "copy", limit=100_000),
        lambda: dripping.sha256("a", limit=100_000),
    ):
        with pytest.raises(UnavailableError, match="a second"):
            read()
    assert time.monotonic() - begun < 60
    assert list(tmp_path.iterdir()) == []
