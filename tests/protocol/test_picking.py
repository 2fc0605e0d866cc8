"""A site that is told no run: it takes the newest that is open, keeps to it, and otherwise has nothing to do."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from wardround.exchange.directory import DirectoryExchange, DirectoryStore
from wardround.exchange.envelope import SigningKey
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.exchange.messages import DeclinedMessage, FinalMessage, RunMessage
from wardround.exchange.records import Channel
from wardround.site.pick import Picker, pick_run
from wardround.site.settings import SiteSettings

DIGEST, OTHER = "ab" * 32, "cd" * 32
JOB = "4fdb2f3f-0b3a-4c43-9d0e-7a7f5b6f1f10"


@dataclass
class Ward:
    """A federation in a folder, whose coordinator is played by hand."""

    folder: Path
    coordinator: SigningKey = field(default_factory=SigningKey.generate)
    site: SigningKey = field(default_factory=SigningKey.generate)

    def __post_init__(self) -> None:
        self.site.save(self.folder / "site.pem")
        self.exchange = DirectoryExchange(self.folder / "exchange")
        for bucket in (Layout("ward").federation, Layout("ward").site("alder")):
            self.exchange.create_bucket(bucket)

    def channel(self, run: str, digest: str | None = DIGEST, key: SigningKey | None = None) -> Channel:
        return Channel("ward", run, COORDINATOR, key or self.coordinator, digest)

    def open(self, run: str, started: str, digest: str = DIGEST, key: SigningKey | None = None) -> None:
        message = RunMessage(
            plan_digest=digest,
            epoch=1,
            rounds=2,
            quorum=1,
            deadline_s=1,
            join_deadline_s=1,
            evaluate_every=1,
            seed=1,
            started=f"2026-05-01T{started}+00:00",
        )
        channel = self.channel(run, digest, key)
        channel.write(self.exchange.store(Layout("ward").federation), message)

    def end(self, run: str) -> None:
        final = FinalMessage(status="finished", rounds=1, last=1, champion=1, measure="val_auc", metric=None)
        self.channel(run).write(self.exchange.store(Layout("ward").federation), final)

    def decline(self, run: str, digest: str = DIGEST, code: str = "not-approved") -> None:
        channel = Channel("ward", run, "alder", self.site, digest)
        store = self.exchange.store(Layout("ward").site("alder"))
        channel.write(store, DeclinedMessage(site="alder", code=code))

    def picker(self) -> Picker:
        return Picker(self.settings(), self.exchange)

    def pick(self, **changes: Any) -> str | None:
        return pick_run(self.settings(**changes), self.exchange, threading.Event())

    def settings(self, **changes: Any) -> SiteSettings:
        given = {
            "federation": "ward",
            "site": "alder",
            "exchange": str(self.folder / "exchange"),
            "key_file": self.folder / "site.pem",
            "coordinator_key": self.coordinator.public.text,
            "work": self.folder / "work",
            "start_wait_s": 0,
            "approved_digests": (DIGEST,),
        }
        return SiteSettings.model_validate(given | changes)


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    yield Ward(tmp_path)


def test_of_open_runs_the_newest_is_taken_and_of_two_in_one_second_the_last_by_name(ward: Ward) -> None:
    ward.open("zebra", "10:00:00")
    ward.open("apple", "11:00:00")
    ward.open("berry", "11:00:00")
    assert ward.pick() == "berry"


def test_a_run_that_has_ended_is_not_taken(ward: Ward) -> None:
    ward.open("old", "10:00:00")
    ward.open("new", "11:00:00")
    ward.end("new")
    assert ward.pick() == "old"
    ward.end("old")
    assert ward.pick() is None


def test_without_any_open_run_a_site_waits_as_long_as_it_is_told_and_then_has_nothing_to_do(
    ward: Ward,
) -> None:
    assert ward.pick(start_wait_s=0.1) is None


def test_a_run_that_is_opened_while_the_site_waits_is_taken(ward: Ward) -> None:
    timer = threading.Timer(0.2, ward.open, ("first", "10:00:00"))
    timer.start()
    assert ward.pick(start_wait_s=30) == "first"
    timer.join()


def test_what_happens_to_known_runs_while_a_site_waits_is_seen(ward: Ward) -> None:
    ward.open("declined", "10:00:00", OTHER)
    ward.decline("declined", OTHER)
    ward.open("gone", "09:00:00")
    ward.end("gone")
    picker = ward.picker()
    assert picker.look() is None
    ward.open("short", "11:00:00")
    ward.end("short")
    assert picker.look() is None
    ward.open("long", "12:00:00")
    assert picker.look() == "long"
    ward.end("long")
    assert picker.look() is None


def test_a_run_of_which_only_the_rounds_are_there_is_no_run_yet(ward: Ward) -> None:
    picker = ward.picker()
    assert picker.look() is None
    store = ward.exchange.store(Layout("ward").federation)
    store.put_new("runs/early/rounds/000001/round.json", b"{}")
    assert picker.look() is None
    ward.open("early", "10:00:00")
    assert picker.look() == "early"


def test_a_look_costs_one_listing_of_names_however_many_runs_have_ended(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        ward.open(f"run-{number}", "10:00:00")
        ward.end(f"run-{number}")
    picker, asked = ward.picker(), []
    for verb in ("list", "names", "size", "get"):
        monkeypatch.setattr(DirectoryStore, verb, counted(getattr(DirectoryStore, verb), asked))
    assert [picker.look() for _ in range(3)] == [None] * 3
    assert asked == ["list", "names", "names"]


def counted(method: Callable[..., object], asked: list[str]) -> Callable[..., object]:
    def call(*arguments: object, **named: object) -> object:
        asked.append(method.__name__)
        return method(*arguments, **named)

    return call


def test_a_site_may_be_started_before_the_federation_has_a_bucket(tmp_path: Path) -> None:
    empty = Ward(tmp_path)
    empty.exchange = DirectoryExchange(tmp_path / "nothing")
    assert empty.pick() is None


def test_a_job_that_is_started_again_keeps_its_run_though_a_newer_one_is_open(ward: Ward) -> None:
    ward.open("first", "10:00:00")
    assert ward.pick(run_id=JOB) == "first"
    ward.open("second", "11:00:00")
    assert ward.pick(run_id=JOB) == "first"
    assert ward.pick(run_id=JOB.replace("4", "5")) == "second"
    ward.end("first")
    assert ward.pick(run_id=JOB) == "first"


def test_a_job_that_found_nothing_looks_again_when_it_is_started_again(ward: Ward) -> None:
    assert ward.pick(run_id=JOB) is None
    ward.open("first", "10:00:00")
    assert ward.pick(run_id=JOB) == "first"


def test_a_run_that_is_named_is_taken_whatever_is_open(ward: Ward) -> None:
    ward.open("first", "10:00:00")
    assert ward.pick(run="mine") == "mine"


def test_a_run_whose_plan_nobody_has_looked_at_is_taken_so_that_the_site_says_that_it_declines(
    ward: Ward,
) -> None:
    ward.open("first", "10:00:00")
    assert ward.pick(approved_digests=()) == "first"


def test_a_run_that_the_site_declined_does_not_hide_an_older_one_that_it_may_run(ward: Ward) -> None:
    ward.open("approved", "10:00:00")
    ward.open("declined", "11:00:00", digest=OTHER)
    assert ward.pick() == "declined"
    ward.decline("declined", OTHER)
    assert ward.pick() == "approved"


def test_a_run_that_was_declined_is_taken_once_its_plan_is_approved(ward: Ward) -> None:
    ward.open("first", "10:00:00")
    ward.decline("first")
    assert ward.pick(approved_digests=()) is None
    assert ward.pick() == "first"


def test_a_run_that_was_over_the_budget_is_taken_once_there_is_no_budget(ward: Ward) -> None:
    ward.open("first", "10:00:00")
    assert ward.pick(privacy_budget={"epsilon": 8, "delta": 1e-5}) == "first"
    ward.decline("first", code="over-budget")
    assert ward.pick(privacy_budget={"epsilon": 8, "delta": 1e-5}) is None
    assert ward.pick() == "first"


def test_a_run_that_was_declined_under_an_old_key_is_still_declined(ward: Ward) -> None:
    ward.open("first", "10:00:00")
    ward.decline("first")
    ward.site = SigningKey.generate()
    ward.site.save(ward.folder / "new.pem")
    assert ward.pick(approved_digests=(), key_file=ward.folder / "new.pem") is None


def test_a_run_that_is_not_the_coordinators_is_passed_over(ward: Ward) -> None:
    ward.open("genuine", "10:00:00")
    ward.open("forged", "11:00:00", key=SigningKey.generate())
    assert ward.pick() == "genuine"


def test_a_run_that_asked_for_more_than_was_approved_is_passed_over(ward: Ward) -> None:
    ward.open("old", "10:00:00")
    ward.open("new", "11:00:00")
    ward.decline("new", code="more-than-approved")
    assert ward.pick() == "old"


def test_a_run_against_whose_coordinator_there_is_evidence_is_passed_over_until_it_is_moved_away(
    ward: Ward,
) -> None:
    ward.open("old", "10:00:00")
    ward.open("new", "11:00:00")
    evidence = ward.folder / "work" / "ward" / "alder" / "new" / "evidence"
    evidence.mkdir(parents=True)
    (evidence / "what.json").write_text("{}")
    assert ward.pick() == "old"
    evidence.rename(evidence.with_name("looked-at"))
    assert ward.pick() == "new"
