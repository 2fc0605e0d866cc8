"""The folder store: nothing leads out of it, and what is half-written is not there."""

import os
from pathlib import Path

import pytest

from wardround.exchange.directory import DirectoryExchange, DirectoryStore
from wardround.exchange.errors import ExchangeError, MissingBucketError, MissingError


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    exchange = DirectoryExchange(tmp_path / "exchange")
    exchange.create_bucket("wardround-x")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("secret")
    return exchange.store("wardround-x")


def test_a_link_to_a_file_outside_is_not_read(store: DirectoryStore, tmp_path: Path) -> None:
    (store.folder / "link").symlink_to(tmp_path / "outside/secret")
    with pytest.raises(MissingError):
        store.get("link", limit=99)
    assert not store.exists("link")
    assert list(store.list("")) == []


def test_a_link_to_a_folder_outside_is_not_entered(store: DirectoryStore, tmp_path: Path) -> None:
    (store.folder / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(MissingError):
        store.get("link/secret", limit=99)
    with pytest.raises(ExchangeError):
        store.put_new("link/new", b"x")
    assert list(store.list("")) == []
    assert list(store.list("link/")) == []
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["secret"]


def test_a_bucket_that_is_a_link_is_none(store: DirectoryStore, tmp_path: Path) -> None:
    (tmp_path / "exchange/wardround-link").symlink_to(tmp_path / "outside")
    with pytest.raises(MissingBucketError):
        DirectoryExchange(tmp_path / "exchange").store("wardround-link").get("secret", limit=99)


def test_a_pipe_in_place_of_an_object_hangs_nobody(store: DirectoryStore) -> None:
    os.mkfifo(store.folder / "pipe")
    with pytest.raises(MissingError):
        store.get("pipe", limit=99)


def test_what_a_killed_writer_left_is_not_there(store: DirectoryStore) -> None:
    store.put_new("runs/r/a", b"1")
    (store.folder / "runs/r/.0123.part").write_bytes(b"half")
    assert list(store.list("")) == ["runs/r/a"]


def test_a_failed_write_leaves_nothing(store: DirectoryStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.upload_new("a", tmp_path / "no such file")
    with pytest.raises(IsADirectoryError):
        store.upload_new("a", tmp_path)
    store.put_new("a", b"1")
    assert [path.name for path in store.folder.iterdir()] == ["a"]


def test_no_descriptor_is_left_open(store: DirectoryStore) -> None:
    store.put_new("a/b/c", b"1")
    before = len(os.listdir("/proc/self/fd"))
    for key in ("a/b/c", "a/b", "a", "x", "a/x/y", "a/b/c/d"):
        store.exists(key)
    for key in ("a/b/c", "a/b/c/d", "a/b"):
        with pytest.raises(ExchangeError):
            store.put_new(key, b"2")
    assert len(os.listdir("/proc/self/fd")) == before
