"""Runs in which something goes wrong: sites that are late, away or silent, and processes that are told to stop."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from federation import FEDERATION, SITES, Federation, World
from hand import HandSite

from wardround.exchange.envelope import SigningKey
from wardround.exchange.layout import Layout
from wardround.exchange.messages import FinalMessage, JoinMessage, PresentMessage, UpdateMessage
from wardround.plan.format import load_plan, write_plan


@pytest.fixture
def cedar(federation: Federation, tmp_path: Path) -> HandSite:
    return HandSite(federation, "cedar", tmp_path)


def test_too_few_joined_sites_end_the_coordinator_with_an_error_that_names_the_missing(
    federation: Federation,
) -> None:
    federation.changes = {"join_deadline_s": 2}
    coordinator = federation.start_coordinator()
    federation.start_site("alder")
    assert coordinator.wait() == 1
    assert "missing: birch, cedar" in coordinator.text()
    assert "no-quorum" in coordinator.text()
    assert federation.outcomes() == ()


def test_a_coordinator_that_lacked_joins_goes_on_when_it_is_started_again(federation: Federation) -> None:
    federation.changes = {"join_deadline_s": 1}
    assert federation.start_coordinator().wait() == 1
    federation.changes = {"join_deadline_s": 1}
    sites = [federation.start_site(site) for site in SITES]
    wait_joined(federation)
    assert federation.start_coordinator().wait() == 0
    assert [site.wait() for site in sites] == [0, 0, 0]


def test_a_round_below_quorum_fails_leaves_the_model_and_the_next_one_recovers(
    federation: Federation, cedar: HandSite
) -> None:
    federation.changes = {"quorum": 3}
    actors = federation.start_all(("alder", "birch"))
    cedar.join()
    cedar.wait_round(1)
    cedar.say_bytes(1, b"rubbish")
    for number in (2, 3, 4):
        cedar.answer(number)
    assert [actor.wait() for actor in actors] == [0, 0, 0]
    outcomes = federation.outcomes()
    assert [outcome.status for outcome in outcomes] == ["failed", "completed", "completed", "evaluated"]
    assert outcomes[0].refused[0].code == "malformed"
    assert cedar.wait_round(2).message.model == 0
    assert cedar.wait_round(2).tensors == cedar.wait_round(1).tensors  # the model is unchanged
    assert [cedar.wait_round(n).message.model for n in (3, 4)] == [2, 3]


def test_three_failed_rounds_in_a_row_abandon_the_run_on_both_sides(
    federation: Federation, cedar: HandSite
) -> None:
    federation.changes = {"quorum": 3}
    actors = federation.start_all(("alder", "birch"))
    cedar.join()
    for number in (1, 2, 3):
        cedar.wait_round(number)
        cedar.say_bytes(number, b"rubbish")
    assert [actor.wait() for actor in actors] == [1, 1, 1]
    assert all("abandoned" in actor.text() for actor in actors)
    final = federation.view.channel.read(federation.view.shared, FinalMessage, federation.view.me).message
    assert (final.status, final.last, final.champion, final.rounds) == ("abandoned", 0, 0, 3)
    assert federation.start_coordinator().wait() == 1  # and it stays so


def test_a_round_closes_at_its_deadline_and_the_silent_site_is_not_waited_for_again(
    federation: Federation, cedar: HandSite
) -> None:
    federation.changes = {"deadline_s": 6}
    actors = federation.start_all(("alder", "birch"))
    cedar.join()
    assert [actor.wait() for actor in actors] == [0, 0, 0]
    first, second, _ = federation.outcomes()
    assert (first.status, first.missing) == ("completed", ("cedar",))
    assert cedar.wait_round(1).message.cohort == SITES
    assert cedar.wait_round(2).message.cohort == ("alder", "birch")
    assert second.missing == ("cedar",)
    assert second.seconds["collect"] < 5


def test_a_site_that_comes_back_says_it_is_present_and_is_waited_for(
    federation: Federation, cedar: HandSite
) -> None:
    federation.changes = {"deadline_s": 8, "quorum": 1}
    alder = HandSite(federation, "alder", cedar.folder)
    coordinator = federation.start_coordinator()
    alder.join()
    cedar.join()
    birch = federation.start_site("birch")
    alder.answer(1)  # cedar is silent
    cedar.wait_round(2)
    cedar.channel.write(cedar.own, PresentMessage(site="cedar"), round=2)
    alder.answer(2)
    cedar.answer(2)
    opened = cedar.wait_round(3).message
    assert opened.cohort == SITES
    alder.answer(3)
    cedar.answer(3)
    assert (coordinator.wait(), birch.wait()) == (0, 0)
    first, second, third = federation.outcomes()
    assert first.missing == ("cedar",)
    assert second.accepted == SITES and third.accepted == SITES


def test_a_late_site_joins_the_newest_open_round_and_counts_in_it(
    federation: Federation, cedar: HandSite
) -> None:
    federation.changes = {"join_deadline_s": 5}
    coordinator, alder = federation.start_coordinator(), federation.start_site("alder")
    cedar.join()
    opened = cedar.wait_round(1)
    assert opened.message.cohort == ("alder", "cedar")
    birch = federation.start_site("birch")
    wait_for_key(federation, "birch", federation.view.channel.where(PresentMessage, 1))
    for number in (1, 2, 3):
        cedar.answer(number)
    assert [actor.wait() for actor in (coordinator, alder, birch)] == [0, 0, 0]
    assert [outcome.accepted for outcome in federation.outcomes()] == [SITES] * 3


def test_a_site_that_was_away_for_rounds_skips_them(federation: Federation, cedar: HandSite) -> None:
    federation.changes = {"rounds": 4, "deadline_s": 12}
    coordinator = federation.start_coordinator()
    alder, birch = federation.start_site("alder"), federation.start_site("birch")
    cedar.join()
    cedar.wait_round(1)
    wait_for_key(federation, "birch", federation.view.channel.where(UpdateMessage, 1))  # its graphs are warm
    cedar.answer(1)
    os.kill(birch.process.pid or 0, signal.SIGSTOP)  # not killed: it only hears nothing for a while
    cedar.answer(2)
    cedar.answer(3)
    cedar.wait_round(4)
    os.kill(birch.process.pid or 0, signal.SIGCONT)
    wait_for_key(federation, "birch", federation.view.channel.where(PresentMessage, 4))
    time.sleep(2)  # a coordinator that is not told of writes looks each second
    cedar.answer(4)
    cedar.answer(5)
    assert [actor.wait() for actor in (coordinator, alder, birch)] == [0, 0, 0]
    answered = ["birch" in outcome.accepted for outcome in federation.outcomes()]
    assert answered == [True, False, False, True, True]


def test_a_plan_that_the_hospital_has_not_approved_is_not_run(federation: Federation) -> None:
    federation.site_changes = {"approved_digests": ()}
    federation.start_coordinator()
    site = federation.start_site("alder")
    assert site.wait() == 1
    assert "not-approved" in site.text()
    assert f"wardround site approve {federation.digest}" in site.text()
    view = federation.view
    assert not view.site("alder").exists(view.channel.where(JoinMessage))


def test_an_approval_may_be_a_file_named_by_the_digest(federation: Federation, tmp_path: Path) -> None:
    (tmp_path / federation.digest).write_text("approved")
    federation.site_changes = {"approved_digests": (), "approvals": tmp_path}
    assert [actor.wait() for actor in federation.start_all()] == [0, 0, 0, 0]


def test_a_site_refuses_a_coordinator_whose_key_is_not_the_pinned_one(federation: Federation) -> None:
    federation.start_coordinator()
    settings = federation.site_settings("alder").model_copy(
        update={"coordinator_key": SigningKey.generate().public.text}
    )
    from actors import train

    site = federation._start(train, "alder", settings, None)
    assert site.wait() == 1
    assert "forged-signature" in site.text()


def test_training_stops_early_when_the_measure_gets_no_better(world: World, tmp_path: Path) -> None:
    plan = with_recipe(world.plan, tmp_path / "plan", early_stop={"metric": "val_accuracy", "patience": 1})
    federation = Federation(
        World(world.folder, world.address, plan), "stops-early", changes={"rounds": 40, "quorum": 3}
    )
    try:
        assert [actor.wait() for actor in federation.start_all()] == [0, 0, 0, 0]
        final = federation.view.channel.read(federation.view.shared, FinalMessage, federation.view.me).message
        assert final.status == "early-stopped"
        assert final.measure == "val_accuracy" and final.champion < final.last < 40
        assert federation.outcomes()[-1].status == "evaluated"
    finally:
        federation.close()


def test_sigterm_ends_both_sides_with_143_and_they_go_on_when_started_again(
    federation: Federation, cedar: HandSite
) -> None:
    actors = federation.start_all(("alder", "birch"))
    cedar.join()
    cedar.wait_round(1)
    wait_for_key(federation, "alder", federation.view.channel.where(UpdateMessage, 1))
    for actor in actors:
        os.kill(actor.process.pid or 0, signal.SIGTERM)
    assert [actor.wait(10) for actor in actors] == [143, 143, 143]
    assert not list(federation.folder.rglob("*.part"))
    again = federation.start_all(("alder", "birch"))
    for number in (1, 2, 3):
        cedar.answer(number)
    assert [actor.wait() for actor in again] == [0, 0, 0]
    assert [outcome.accepted for outcome in federation.outcomes()] == [SITES] * 3


def test_two_starts_of_one_site_at_once_take_turns_and_both_end_well(federation: Federation) -> None:
    second = federation.start_site("alder")
    actors = [*federation.start_all(), second]
    assert [actor.wait() for actor in actors] == [0] * 5
    assert "another process is at run" in second.text()
    assert all(outcome.accepted == SITES and not outcome.refused for outcome in federation.outcomes())


def test_a_run_that_has_ended_is_left_as_it_is_by_a_second_start(federation: Federation) -> None:
    assert [actor.wait() for actor in federation.start_all()] == [0, 0, 0, 0]
    store = federation.view.shared
    before = [*store.list(f"runs/{federation.run}/")]
    assert [actor.wait() for actor in federation.start_all()] == [0, 0, 0, 0]
    assert [*store.list(f"runs/{federation.run}/")] == before


def test_another_rule_for_the_same_run_is_refused(federation: Federation) -> None:
    federation.changes = {"join_deadline_s": 1}
    assert federation.start_coordinator().wait() == 1
    federation.changes = {"join_deadline_s": 1, "rounds": 7}
    again = federation.start_coordinator()
    assert again.wait() == 1
    assert "other-run" in again.text()


def wait_joined(federation: Federation) -> None:
    """Returns when all sites have joined."""
    for site in SITES:
        wait_for_key(federation, site, federation.view.channel.where(JoinMessage))


def wait_for_key(federation: Federation, site: str, key: str) -> None:
    """Returns when there is an object in a site's bucket."""
    from wardround.exchange.store import wait_for_any

    bucket = Layout(FEDERATION).site(site)
    assert wait_for_any(federation.view.exchange.store(bucket), key, [key], seconds=60) is not None


def with_recipe(plan: Path, folder: Path, **rounds: object) -> Path:
    """A copy of a plan whose recipe has other rules for its rounds; the graphs are the same."""
    import shutil

    shutil.copytree(plan, folder)
    manifest = load_plan(plan).manifest
    recipe = json.loads(json.dumps(manifest.recipe))
    recipe["rounds"] |= rounds
    return write_plan(manifest.model_dump(mode="json") | {"recipe": recipe}, folder).folder
