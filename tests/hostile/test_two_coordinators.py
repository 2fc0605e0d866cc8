"""Two coordinators of one run, and a deadline that finds a download under way."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from federation import SITES, Federation
from rounds_by_hand import EXAMPLES, coordinator, hand_sites, honest, send

from wardround.coordinator.abandon import AbandonSettings, abandon
from wardround.exchange import s3
from wardround.exchange.layout import COORDINATOR


def test_two_coordinators_of_one_run_take_turns_and_both_end_well(federation: Federation) -> None:
    actors = [federation.start_coordinator(), *federation.start_all()]
    assert [actor.wait() for actor in actors] == [0] * 5
    assert "another process is at run" in actors[0].text()  # they share a log
    outcomes = federation.outcomes()
    assert [outcome.status for outcome in outcomes] == ["completed", "completed", "evaluated"]
    assert all(outcome.accepted == SITES and not outcome.refused for outcome in outcomes)


def test_the_second_coordinator_goes_on_when_the_first_is_killed(
    federation: Federation, tmp_path: Path
) -> None:
    hands = hand_sites(federation, tmp_path, ("alder", "birch"))
    federation.changes = {"rounds": 2, "join_deadline_s": 3}
    first = federation.start_coordinator()
    for hand in hands:
        hand.join(examples=EXAMPLES)
    hands[0].wait_round(1)
    second = federation.start_coordinator()
    wait_for_text(federation, "another process is at run")
    first.process.kill()
    for number in (1, 2, 3):
        for seed, hand in enumerate(hands):
            send(hand, number, honest(hand, number, seed))
    assert second.wait() == 0
    assert all(outcome.accepted == ("alder", "birch") for outcome in federation.outcomes())


def test_a_run_is_given_up_while_one_coordinator_plays_and_another_waits(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation.changes = {"rounds": 1000, "deadline_s": 3600}
    hands = hand_sites(federation, federation.folder / "hands", ("alder", "birch"))
    both = [federation.start_coordinator(), federation.start_coordinator()]
    for hand in hands:
        hand.join(examples=EXAMPLES)
    wait_for_text(federation, "another process is at run")
    for name, value in federation.world.environment(COORDINATOR).items():
        monkeypatch.setenv(name, value)
    settings = AbandonSettings.model_validate(federation.coordinator_settings().model_dump())
    assert abandon(settings, federation.run).status == "abandoned"
    assert [coordinator.wait() for coordinator in both] == [1, 1]


def wait_for_text(federation: Federation, text: str) -> None:
    end = time.monotonic() + 60
    while text not in (federation.folder / f"{COORDINATOR}.log").read_text():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_download_that_the_deadline_finds_under_way_costs_the_round_nothing(
    federation: Federation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation.changes = {"rounds": 2, "deadline_s": 5}
    *hands, cedar = hand_sites(federation, tmp_path, ("alder", "birch", "cedar"))
    began, go_on, original = threading.Event(), threading.Event(), s3.blocks

    def slowly(response: Any, key: str, limit: int) -> Iterator[bytes]:
        yield from original(response, key, limit)
        if "/000001/update-" in key and "ward-cedar" in str(response.geturl()):
            began.set()
            go_on.wait(60)  # its `.part` lies in the round's folder

    monkeypatch.setattr(s3, "blocks", slowly)
    with coordinator(federation, monkeypatch):
        for hand in (*hands, cedar):
            hand.join(examples=EXAMPLES)
        for seed, hand in enumerate((*hands, cedar)):
            send(hand, 1, honest(hand, 1, seed))
        assert began.wait(60)
        first = cedar.wait_outcome(1)
        go_on.set()
        for number in (2, 3):
            for seed, hand in enumerate((*hands, cedar)):
                send(hand, number, honest(hand, number, seed))
    assert (first.status, first.accepted, first.missing) == ("completed", ("alder", "birch"), ("cedar",))
    assert not list((federation.folder / COORDINATOR).rglob("update-*"))
