"""Sites that do not approve a plan say so; the coordinator takes it up, and does not wait for them until they join."""

import os
from pathlib import Path

import pytest
from federation import FEDERATION, SITES, Federation
from hand import HandSite
from killing import Deaths

from wardround.exchange.envelope import SigningKey
from wardround.exchange.layout import Layout
from wardround.exchange.messages import DeclinedMessage, JoinMessage
from wardround.exchange.store import wait_for_any


@pytest.fixture
def cedar(federation: Federation, tmp_path: Path) -> HandSite:
    return HandSite(federation, "cedar", tmp_path)


def declined(federation: Federation, site: str) -> bool:
    """Whether a site's word is there within a minute."""
    store = federation.view.exchange.store(Layout(FEDERATION).site(site))
    key = federation.view.channel.where(DeclinedMessage)
    return wait_for_any(store, key, [key], seconds=60) is not None


def test_a_site_that_does_not_approve_is_in_the_outcome_with_its_reason_and_nobody_waits_for_it(
    federation: Federation, tmp_path: Path
) -> None:
    federation.changes = {"join_deadline_s": 600}  # far longer than the test may take
    coordinator = federation.start_coordinator()
    alder, birch = federation.start_site("alder"), federation.start_site("birch")
    federation.site_changes = {"approved_digests": ()}
    cedar = federation.start_site("cedar")
    assert cedar.wait() == 1
    assert "not-approved" in cedar.text()
    assert [actor.wait() for actor in (coordinator, alder, birch)] == [0, 0, 0]
    outcomes = federation.outcomes()
    assert [outcome.accepted for outcome in outcomes] == [("alder", "birch")] * 3
    assert [outcome.declined for outcome in outcomes] == [{"cedar": "not-approved"}] * 3
    assert [outcome.missing for outcome in outcomes] == [()] * 3


def test_a_site_that_declined_and_is_approved_later_joins_and_is_no_longer_counted_as_declined(
    federation: Federation, cedar: HandSite
) -> None:
    cedar.channel.write(cedar.own, DeclinedMessage(site="cedar", code="not-approved"))
    alder = HandSite(federation, "alder", cedar.folder)
    coordinator, birch = federation.start_coordinator(), federation.start_site("birch")
    alder.join()
    assert alder.wait_round(1).message.cohort == ("alder", "birch")
    late = federation.start_site("cedar")  # approved now
    wait_joined(federation, "cedar")
    for number in (1, 2, 3):
        alder.answer(number)
    assert [actor.wait() for actor in (coordinator, birch, late)] == [0, 0, 0]
    last = federation.outcomes()[-1]
    assert (last.accepted, last.declined) == (SITES, {})


def test_below_the_quorum_a_site_that_declined_is_waited_for_because_approving_takes_a_person(
    federation: Federation, cedar: HandSite
) -> None:
    federation.changes = {"quorum": 3}
    cedar.channel.write(cedar.own, DeclinedMessage(site="cedar", code="not-approved"))
    actors = [federation.start_coordinator(), federation.start_site("alder"), federation.start_site("birch")]
    for site in ("alder", "birch"):
        wait_joined(federation, site)
    actors.append(federation.start_site("cedar"))
    assert [actor.wait() for actor in actors] == [0, 0, 0, 0]
    assert [outcome.accepted for outcome in federation.outcomes()] == [SITES] * 3


def test_too_many_who_decline_end_the_coordinator_with_an_error_that_gives_their_reasons(
    federation: Federation, cedar: HandSite
) -> None:
    federation.changes = {"quorum": 3, "join_deadline_s": 3}
    cedar.channel.write(cedar.own, DeclinedMessage(site="cedar", code="not-approved"))
    coordinator = federation.start_coordinator()
    assert coordinator.wait() == 1
    assert "declined: cedar, not-approved" in coordinator.text()


def test_a_reason_that_somebody_else_signed_is_not_taken_for_the_sites_own(
    federation: Federation, cedar: HandSite
) -> None:
    federation.changes = {"quorum": 3, "join_deadline_s": 3}
    forged = cedar.other(key=SigningKey.generate())
    forged.write(cedar.own, DeclinedMessage(site="cedar", code="not-approved"))
    coordinator = federation.start_coordinator()
    assert coordinator.wait() == 1
    assert "declined: cedar, forged-signature" in coordinator.text()


def test_a_site_declines_once_whatever_the_reason_of_a_second_start_is(federation: Federation) -> None:
    federation.start_coordinator()
    federation.site_changes = {"approved_digests": ()}
    assert federation.start_site("alder").wait() == 1
    assert declined(federation, "alder")
    view = federation.view
    before = view.site("alder").get(view.channel.where(DeclinedMessage), limit=4096)
    again = federation.start_site("alder")
    assert again.wait() == 1
    assert "not-approved" in again.text()
    assert view.site("alder").get(view.channel.where(DeclinedMessage), limit=4096) == before


def test_a_site_with_a_privacy_budget_declines_a_plan_without_privacy_although_it_is_approved(
    federation: Federation,
) -> None:
    federation.start_coordinator()
    federation.site_changes = {"privacy_budget": {"epsilon": 8.0, "delta": 1e-5}}
    alder = federation.start_site("alder")
    assert alder.wait() == 1
    assert "this hospital's budget is epsilon 8 at delta 1e-05" in alder.text()
    assert declined(federation, "alder")
    view = federation.view
    assert b'"over-budget"' in view.site("alder").get(view.channel.where(DeclinedMessage), limit=4096)


def test_a_site_whose_approval_is_withdrawn_after_it_joined_declines_nothing(
    federation: Federation, cedar: HandSite
) -> None:
    cedar.channel.write(
        cedar.own,
        JoinMessage(approved=federation.digest, public_key=cedar.channel.key.public.text, examples={}),
    )
    federation.start_coordinator()
    federation.site_changes = {"approved_digests": ()}
    assert federation.start_site("cedar").wait() == 1
    assert not cedar.own.exists(cedar.channel.where(DeclinedMessage))


def test_a_site_killed_around_its_word_has_declined_after_its_next_start(
    federation: Federation, tmp_path: Path
) -> None:
    federation.start_coordinator()
    federation.site_changes = {"approved_digests": ()}
    word = f"put wardround-{FEDERATION}-alder/{federation.view.channel.where(DeclinedMessage)}"
    for moment in ("before", "after"):
        deaths = Deaths(tmp_path / moment, f"{moment} {word}")
        assert federation.start_site("alder", deaths).wait() == -9
    again = federation.start_site("alder")
    assert again.wait() == 1
    assert "not-approved" in again.text()
    assert declined(federation, "alder")


def wait_joined(federation: Federation, site: str) -> None:
    """Returns when a site has joined."""
    key = federation.view.channel.where(JoinMessage)
    store = federation.view.exchange.store(Layout(FEDERATION).site(site))
    assert wait_for_any(store, key, [key], seconds=60) is not None, os.listdir(federation.folder)
