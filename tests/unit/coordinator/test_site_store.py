"""Whose fault it is that something in a site's bucket cannot be read."""

import threading
from pathlib import Path

import pytest

from wardround.coordinator import site_store
from wardround.coordinator.site_store import SiteStore
from wardround.errors import RefusedError, StoppedError, WardroundError
from wardround.exchange.directory import DirectoryExchange
from wardround.exchange.errors import (
    DeniedError,
    ExchangeError,
    MissingBucketError,
    MissingError,
    NoSpaceError,
    UnavailableError,
)


class Failing:
    """A bucket in which reading fails so often with these errors, and then no more."""

    def __init__(self, folder: Path, errors: list[WardroundError]) -> None:
        exchange = DirectoryExchange(folder)
        exchange.create_bucket("bucket")
        self.inner, self.errors, self.reads = exchange.store("bucket"), errors, 0
        self.name = "bucket"

    def get(self, key: str, *, limit: int) -> bytes:
        self.reads += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.inner.get(key, limit=limit)

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_store, "_PAUSE_S", 0.0)


def read(failing: Failing, answers: object = None) -> SiteStore:
    store = SiteStore(failing, answers or (lambda: None), threading.Event())  # type: ignore[arg-type]
    return store


@pytest.mark.parametrize(
    "error", [DeniedError("x"), ExchangeError("HTTP 400"), MissingBucketError("x"), UnavailableError("x")]
)
def test_what_stays_unreadable_while_the_exchange_answers_is_refused(
    tmp_path: Path, error: WardroundError
) -> None:
    failing = Failing(tmp_path, [error] * 20)
    with pytest.raises(RefusedError) as caught:
        read(failing).get("a", limit=9)
    assert caught.value.code == "unreadable" and 1 < failing.reads < 6


def test_a_suspect_is_tried_once_until_something_of_it_can_be_read(tmp_path: Path) -> None:
    failing = Failing(tmp_path, [DeniedError("x")] * 3)
    failing.inner.put_new("a", b"there")
    store = read(failing)
    for reads in (2, 3):
        with pytest.raises(RefusedError):
            store.get("a", limit=9)
        assert failing.reads == reads
    assert store.get("a", limit=9) == b"there"
    failing.errors.append(DeniedError("x"))
    assert store.get("a", limit=9) == b"there"


def test_an_exchange_that_is_away_for_everybody_is_waited_for_and_blamed_on_nobody(tmp_path: Path) -> None:
    failing = Failing(tmp_path, [UnavailableError("x"), UnavailableError("x")])
    failing.inner.put_new("a", b"there")
    waits: list[int] = []
    assert read(failing, lambda: waits.append(1)).get("a", limit=9) == b"there"
    assert len(waits) == 2


def test_an_exchange_that_stays_away_ends_the_coordinator_not_the_site(tmp_path: Path) -> None:
    def away() -> None:
        raise UnavailableError("for ten minutes")

    with pytest.raises(UnavailableError, match="ten minutes"):
        read(Failing(tmp_path, [UnavailableError("x")]), away).get("a", limit=9)


@pytest.mark.parametrize("error", [MissingError("x"), NoSpaceError("x"), StoppedError("x")])
def test_what_is_missing_and_what_is_this_machines_trouble_is_nobodys_fault(
    tmp_path: Path, error: WardroundError
) -> None:
    with pytest.raises(type(error)):
        read(Failing(tmp_path, [error])).get("a", limit=9)


def test_credentials_that_may_not_read_the_coordinators_own_bucket_are_its_own_trouble(
    tmp_path: Path,
) -> None:
    def denied() -> None:
        raise DeniedError("own")

    with pytest.raises(DeniedError, match="own"):
        read(Failing(tmp_path, [DeniedError("x")]), denied).get("a", limit=9)
