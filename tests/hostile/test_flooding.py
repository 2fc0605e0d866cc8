"""A bucket with more objects than anybody can list; a server that sends without end, little by little, or nonsense."""

import gzip
import hashlib
import os
import resource
import socket
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from federation import FEDERATION, SITES, Federation
from minio import Minio
from pydantic import SecretStr

from wardround.errors import RefusedError, WardroundError
from wardround.exchange import answers, pace, s3, store
from wardround.exchange.directory import DirectoryExchange, DirectoryStore
from wardround.exchange.envelope import SigningKey
from wardround.exchange.errors import ConflictError, OversizedError, UnavailableError
from wardround.exchange.layout import COORDINATOR, RUNS, Layout
from wardround.exchange.s3 import S3Exchange, S3Store
from wardround.exchange.settings import S3Settings, from_environment
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


# --- a server that answers what no server answers ------------------------------------------------------------

XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def page(inside: str, head: str = "") -> tuple[int, dict[str, str], Iterable[bytes]]:
    text = f"{head}<ListBucketResult {XMLNS}><Name>wardround-lies</Name>{inside}</ListBucketResult>"
    return 200, {"Content-Type": "application/xml"}, [text.encode()]


MORE = "<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>"
ENTRY = "<Contents><Key>runs/a</Key><Size>{}</Size><LastModified>{}</LastModified></Contents>"
BOMB = "".join(f'<!ENTITY {chr(98 + at)} "{f"&{chr(97 + at)};" * 10}">' for at in range(9))
XML = {"Content-Type": "application/xml"}


def endless() -> Iterable[bytes]:
    return repeat(b" " * (1 << 20))


# What is answered to every request → the code of the error of a listing.
LIES: dict[str, tuple[tuple[int, dict[str, str], Iterable[bytes]], str]] = {
    "pages without keys and without end": (page(MORE), "flooded"),
    "one page for ever": (page(MORE + ENTRY.format(1, "2026-01-01T00:00:00.000Z")), "flooded"),
    "a listing without end": ((200, XML, endless()), "exchange"),
    "an error without end": ((500, XML, endless()), "exchange"),
    "a size that is none": (page(ENTRY.format("x", "2026-01-01T00:00:00.000Z")), "unavailable"),
    "a time that is none": (page(ENTRY.format(1, "yesterday")), "unavailable"),
    "an object without a key": (page("<Contents><Size>1</Size></Contents>"), "unavailable"),
    "entities of entities": (page("&j;", f'<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">{BOMB}]>'), "unavailable"),
    "bytes that are no text": ((200, XML, [b"\xff\xfe\xff"]), "unavailable"),
    "a hundred thousand open elements": ((200, XML, [b"<a>" * 100_000]), "unavailable"),
    "a code of a megabyte": (
        (400, XML, [b"<Error><Code>\xc2\x9b2J" + b"E" * (1 << 20) + b"</Code></Error>"]),
        "exchange",
    ),
    "another address": ((307, {"Location": "http://127.0.0.1:9/"}, []), "unavailable"),
}


@contextmanager
def saying(answer: tuple[int, dict[str, str], Iterable[bytes]]) -> Iterator[S3Store]:
    """A server that says the same to everything."""
    status, headers, body = answer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):
                self.wfile.writelines(body if self.command == "GET" else ())

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = S3Settings(
            endpoint=f"http://127.0.0.1:{server.server_port}", access_key="a", secret_key=SecretStr("b" * 20)
        )
        yield S3Exchange(settings).store("wardround-lies")
        server.shutdown()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails for a while is not tried again, and few pages are many."""
    monkeypatch.setattr(s3, "_ATTEMPTS", 1)
    monkeypatch.setattr(answers, "MOST_PAGES", 20)
    monkeypatch.setattr(store, "MOST_KEYS", 10)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("lie", LIES)
def test_a_listing_that_lies_ends_with_an_error_of_ours_and_takes_little_memory(lie: str) -> None:
    answer, code = LIES[lie]
    with saying(answer) as lying:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for look in (lambda: lying.list("runs/"), lambda: lying.names("runs/")):
            with pytest.raises(WardroundError) as caught:
                look()
            assert caught.value.code == code
            assert len(str(caught.value)) < 1000
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 << 10  # KiB


HEADERS = {
    "a time that is none": {"Last-Modified": "yesterday"},
    "a length that is none": {"Content-Length": "many"},
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("lie", HEADERS)
def test_headers_that_lie_end_in_an_error_of_ours(lie: str) -> None:
    with saying((200, HEADERS[lie], [b"x"])) as lying, pytest.raises(UnavailableError):
        lying.exists("federation.json")


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip", "deflate", "br", "none that there is"])
def test_an_object_that_says_it_is_compressed_is_read_as_it_was_written(
    coding: str, federation: Federation, tmp_path: Path
) -> None:
    """Otherwise its digest would be that of other bytes, and a few of them could stand for gigabytes."""
    bucket, key = Layout(FEDERATION).site("birch"), f"coded/{time.monotonic_ns()}"
    settings = from_environment(federation.world.address, federation.world.environment("birch"))
    secret = settings.secret_key.get_secret_value()
    client = Minio(settings.host, settings.access_key, secret, secure=False, region=settings.region)
    bomb = gzip.compress(gzip.compress(bytes(64 << 20)))
    client.put_object(bucket, key, BytesIO(bomb), len(bomb), metadata={"Content-Encoding": coding})
    read = federation.exchange(COORDINATOR).store(bucket)
    assert read.get(key, limit=len(bomb)) == bomb
    assert read.sha256(key, limit=len(bomb)) == hashlib.sha256(bomb).hexdigest()
    read.download(key, tmp_path / "copy", limit=len(bomb))
    assert (tmp_path / "copy").read_bytes() == bomb


# --- a folder that several machines share --------------------------------------------------------------------


@pytest.fixture
def shared(tmp_path: Path) -> DirectoryStore:
    exchange = DirectoryExchange(tmp_path / "exchange")
    exchange.create_bucket("wardround-folder")
    return exchange.store("wardround-folder")


def test_a_file_that_grows_while_it_is_read_fills_no_disk(
    shared: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.put_new("grows", b"x" * 10)
    check = DirectoryStore._check_file

    def growing(store: DirectoryStore, *given: Any) -> None:
        check(store, *given)
        with (store.folder / "grows").open("ab") as file:
            file.truncate(1 << 40)

    monkeypatch.setattr(DirectoryStore, "_check_file", growing)
    for number, read in enumerate(
        (
            lambda: shared.download("grows", tmp_path / "copy", limit=100),
            lambda: shared.sha256("grows", limit=100),
            lambda: shared.get("grows", limit=100),
        )
    ):
        if number:
            (shared.folder / "grows").write_bytes(b"x" * 10)
        with pytest.raises(OversizedError):
            read()
    assert not (tmp_path / "copy").exists()


def test_folders_deeper_than_any_key_are_not_entered(shared: DirectoryStore) -> None:
    shared.put_new("runs/r/run.json", b"{}")
    place = os.open(shared.folder / "runs", os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=place)
        below = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(os.open("run.json", os.O_CREAT, dir_fd=place))
    os.close(place)
    assert list(shared.list("runs/")) == ["runs/r/run.json"]
    assert list(shared.names("")) == ["runs/"]
    subprocess.run(["rm", "-rf", shared.folder / "runs"], check=True)
