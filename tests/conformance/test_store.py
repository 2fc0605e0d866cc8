"""What every store promises, whatever is behind it."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wardround.errors import RefusedError, StoppedError, WardroundError
from wardround.exchange.errors import (
    ConflictError,
    ExistsError,
    MissingBucketError,
    MissingError,
    OversizedError,
)
from wardround.exchange.store import Store, put_idempotent, upload_idempotent, wait_for_any
from wardround.exchange.waiting import wait_until

from .conftest import Backend

KEY = "runs/r/rounds/000001/update.json"
ILLEGAL = [
    "",
    "/",
    "a/../b",
    "../a",
    "a//b",
    "/a",
    "a/",
    ".a",
    "a/.b",
    "a\0b",
    "a b",
    "ä",
    "a\\b",
    "a" * 600,
    "%2e",
]


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 40], ids=["empty", "one", "binary"])
def test_what_was_written_is_read_back(store: Store, data: bytes, tmp_path: Path) -> None:
    store.put_new(KEY, data)
    store.download(KEY, tmp_path / "copy", limit=len(data))
    assert store.get(KEY, limit=len(data)) == data
    assert (tmp_path / "copy").read_bytes() == data
    assert store.size(KEY) == len(data)
    assert store.exists(KEY)


def test_a_second_writer_of_the_same_key_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"second")
    store.put_new(KEY, b"first")
    with pytest.raises(ExistsError):
        store.put_new(KEY, b"first")
    with pytest.raises(ExistsError):
        store.upload_new(KEY, tmp_path / "file")
    assert store.get(KEY, limit=99) == b"first"


def test_writing_the_same_bytes_again_is_accepted_and_other_bytes_are_a_conflict(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "same").write_bytes(b"first")
    (tmp_path / "other").write_bytes(b"other")
    for _ in range(2):
        put_idempotent(store, KEY, b"first")
        upload_idempotent(store, KEY, tmp_path / "same")
    for other in (b"other", b"longer than first"):
        with pytest.raises(ConflictError):
            put_idempotent(store, KEY, other)
    with pytest.raises(ConflictError):
        upload_idempotent(store, KEY, tmp_path / "other")


def test_of_many_threads_that_write_one_key_exactly_one_wins(new_bucket: Callable[[], Store]) -> None:
    store, writers = new_bucket(), 8
    for attempt in range(3):
        start = threading.Barrier(writers)
        key = f"race/{attempt}"

        def write(number: int, start: threading.Barrier = start, key: str = key) -> int | None:
            start.wait()
            try:
                store.put_new(key, b"%d" % number * 2000)
            except ExistsError:
                return None
            return number

        with ThreadPoolExecutor(writers) as pool:
            winners = [number for number in pool.map(write, range(writers)) if number is not None]
        assert len(winners) == 1
        assert store.get(key, limit=99999) == b"%d" % winners[0] * 2000


WRITER = """
import sys
from wardround.exchange.connect import open_exchange
from wardround.exchange.errors import ExistsError
address, bucket, me, keys = sys.argv[1:]
store = open_exchange(address).store(bucket)
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(keys)):
    try:
        store.put_new(f"race/{number}", me.encode() * 500)
        print(number, flush=True)
    except ExistsError:
        pass
"""


def test_of_two_processes_that_write_the_same_keys_exactly_one_wins_each(
    store: Store, backend: Backend
) -> None:
    keys = 40
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, backend.address, store.name, name, str(keys)],
            env=os.environ | backend.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("A", "B")
    ]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    won = [set(process.communicate()[0].split()) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert not won[0] & won[1]
    assert len(won[0] | won[1]) == keys
    for name, numbers in zip("AB", won, strict=True):
        for number in numbers:
            assert store.get(f"race/{number}", limit=9999) == name.encode() * 500


def test_a_large_file_arrives_whole_and_is_written_once(store: Store, tmp_path: Path) -> None:
    block = os.urandom(1 << 20)
    for name in ("one", "two"):
        with (tmp_path / name).open("wb") as file:
            for number in range(64):
                file.write(bytes([number]) + name.encode() + block)
    size = (tmp_path / "one").stat().st_size

    def upload(name: str) -> str | None:
        try:
            store.upload_new("big", tmp_path / name)
        except ExistsError:
            return None
        return name

    with ThreadPoolExecutor(2) as pool:
        (winner,) = [name for name in pool.map(upload, ("one", "two")) if name]
    store.download("big", tmp_path / "copy", limit=size)
    assert _sha256(tmp_path / "copy") == _sha256(tmp_path / winner)
    upload_idempotent(store, "big", tmp_path / winner)


def test_an_oversized_object_is_refused_and_leaves_nothing(store: Store, tmp_path: Path) -> None:
    store.put_new(KEY, b"x" * 101)
    for read in (
        lambda: store.get(KEY, limit=100),
        lambda: store.get(KEY, limit=0),
        lambda: store.download(KEY, tmp_path / "copy", limit=100),
    ):
        with pytest.raises(OversizedError) as refusal:
            read()
        assert refusal.value.code == "oversized"
    assert list(tmp_path.iterdir()) == []
    assert store.get(KEY, limit=101) == b"x" * 101


def test_a_missing_object_is_called_missing(store: Store, tmp_path: Path) -> None:
    store.put_new("a/b", b"")
    for key in ("nothing", "a/c", "a", "a/b/c"):
        for read in (
            lambda key=key: store.get(key, limit=9),
            lambda key=key: store.size(key),
            lambda key=key: store.download(key, tmp_path / "copy", limit=9),
        ):
            with pytest.raises(MissingError):
                read()
        assert not store.exists(key)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_bucket_has_its_own_error(backend: Backend, tmp_path: Path) -> None:
    exchange = backend.open()
    store = exchange.store("wardround-never-made")
    (tmp_path / "file").write_bytes(b"x")
    for use in (
        lambda: store.get(KEY, limit=9),
        lambda: store.size(KEY),
        lambda: store.exists(KEY),
        lambda: list(store.list("")),
        lambda: store.put_new(KEY, b"x"),
        lambda: store.upload_new(KEY, tmp_path / "file"),
        lambda: store.download(KEY, tmp_path / "copy", limit=9),
    ):
        with pytest.raises(MissingBucketError, match="wardround-never-made"):
            use()
    exchange.close()


def test_a_bucket_can_be_made_twice_and_keeps_what_is_in_it(store: Store, backend: Backend) -> None:
    store.put_new("a", b"1")
    exchange = backend.open()
    exchange.create_bucket(store.name)
    assert exchange.store(store.name).get("a", limit=1) == b"1"
    exchange.close()


@pytest.mark.parametrize("key", ILLEGAL)
def test_an_illegal_key_is_refused_by_every_operation(store: Store, key: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for use in (
        lambda: store.get(key, limit=9),
        lambda: store.size(key),
        lambda: store.exists(key),
        lambda: store.put_new(key, b"x"),
        lambda: store.upload_new(key, tmp_path / "file"),
        lambda: store.download(key, tmp_path / "copy", limit=9),
    ):
        with pytest.raises(WardroundError) as refusal:
            use()
        assert refusal.value.code == "illegal-name"
    assert list(store.list("")) == []


def test_a_listing_is_sorted_complete_and_exact_about_its_prefix(store: Store) -> None:
    keys = [f"runs/r/rounds/{number:06d}/update.json" for number in range(1100)]
    keys += [
        "runs/r-2/run.json",
        "runs/r.a/run.json",
        "runs/r0/run.json",
        "runs/rr",
        "runs.json",
        "runs0/x",
        "Z",
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.put_new(key, b""), reversed(keys)))
    assert list(store.list("")) == sorted(keys)
    assert list(store.list("runs/r/")) == sorted(keys[:1100])
    assert list(store.list("runs/r")) == sorted(key for key in keys if key.startswith("runs/r"))
    assert list(store.list("runs/r/rounds/00109")) == keys[1090:1100]
    assert list(store.list("runs/r/rounds/000007/update.json")) == [keys[7]]
    assert list(store.list("nothing/")) == []
    assert list(store.names("")) == ["Z", "runs.json", "runs/", "runs0/"]
    assert list(store.names("runs/")) == ["r-2/", "r.a/", "r/", "r0/", "rr"]
    rounds = [f"{number:06d}/" for number in range(1100)]
    assert list(store.names("runs/r/rounds/")) == rounds
    assert list(store.names("runs/r/rounds/000007/")) == ["update.json"]
    assert list(store.names("nothing/")) == []
    with pytest.raises(RefusedError, match="slash"):
        store.names("runs")


def test_a_waiter_is_woken_by_a_write_of_somebody_else(store: Store, backend: Backend) -> None:
    exchange = backend.open()
    other = exchange.store(store.name)
    looked = threading.Event()

    def write() -> None:
        looked.wait()
        other.put_new("runs/r/b", b"")

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)

        def ready() -> str | None:
            found = next((key for key in ("runs/r/a", "runs/r/b") if store.exists(key)), None)
            looked.set()
            return found

        assert wait_until([store], ready, seconds=60, prefix="runs/r/") == "runs/r/b"
        writing.result()
    exchange.close()


def test_one_waiter_waits_for_several_buckets(new_bucket: Callable[[], Store]) -> None:
    first, second = new_bucket(), new_bucket()
    timer = threading.Timer(0.2, lambda: second.put_new("b", b""))
    timer.start()
    found = wait_until(
        [first, second],
        lambda: next((store.name for store in (first, second) if store.exists("b")), None),
        seconds=60,
    )
    assert found == second.name
    timer.join()


def test_a_wait_ends_at_its_time_and_on_stop(store: Store) -> None:
    assert wait_for_any(store, "runs/", ["runs/never"], seconds=0.2) is None
    assert wait_for_any(store, "runs/", ["runs/never"], seconds=0) is None
    stop = threading.Event()
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    with pytest.raises(StoppedError):
        wait_for_any(store, "runs/", ["runs/never"], seconds=600, stop=stop)
    timer.join()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
