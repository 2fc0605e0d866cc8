"""A coordinator that shows one thing to one hospital and another to the next, or now this and later that.

It has its real key and credential, and overwrites what it likes. Alder is a real site; birch, where it matters, is an
honest one that was shown something else.
"""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from federation import FEDERATION, Federation
from hand import HandSite
from hand_coordinator import HandCoordinator, LiveSite, remove, sha256

from wardround.errors import RefusedError
from wardround.exchange.envelope import Binding, SigningKey, canonical, open_envelope
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.exchange.messages import (
    FederationMessage,
    OutcomeMessage,
    Refusal,
    RoundMessage,
    RunMessage,
    UpdateMessage,
)
from wardround.plan.program import Broadcast, Program
from wardround.site.evidence import EquivocationError

PAIR = ("alder", "birch")


def answer(site: HandSite, number: int, **seen: str) -> None:
    """An honest answer of zeros by a site that was shown what `seen` says: `round`, `run`, `members`."""
    opened = site.wait_round(number)
    said = site.message(opened)
    told = said.model_copy(update={"seen": said.seen.model_copy(update=seen)})
    site.say(number, told, site.upload(number, site.zeros(opened)))


def convicted(site: LiveSite, code: str = "equivocation") -> dict[str, bytes]:
    """The files of the evidence, by name, after every check that a stranger can make with the public keys."""
    folder = site.work / "evidence"
    told = json.loads((folder / "what.json").read_text())
    assert told["code"] == code
    assert told["coordinator_key"] == site.federation.world.key(COORDINATOR).public.text
    assert folder.stat().st_mode & 0o777 == 0o700
    files = {path.name: path for path in folder.iterdir() if path.name != "what.json"}
    assert {name: sha256(path.read_bytes()) for name, path in files.items()} == told["files"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
    for path in files.values():
        opened(site.federation, path.read_bytes())
    return {name: path.read_bytes() for name, path in files.items()}


def opened(federation: Federation, data: bytes) -> Any:
    """The envelope, which must be signed by the coordinator: about whatever it says that it is about."""
    document = json.loads(data)
    key = federation.world.key(COORDINATOR).public
    return open_envelope(
        data,
        kind=document["kind"],
        binding=Binding(**document["binding"]),
        signer=COORDINATOR,
        public_key=key,
    )


def ends(site: LiveSite) -> EquivocationError:
    """How the site ends when it is started again."""
    with pytest.raises(EquivocationError) as caught:
        site.play()
    return caught.value


def until_second_round(coordinator: HandCoordinator, **first: Any) -> None:
    """Plays the first round, with an outcome that is changed, and opens the second, after which sites look back."""
    coordinator.conclude(1, PAIR, **first)
    coordinator.invite(2)


# --- what another site was shown -----------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["round", "run", "members"])
def test_another_object_shown_to_another_site_ends_the_run_with_evidence(
    what: str, coordinator: HandCoordinator, alder: LiveSite, birch: HandSite
) -> None:
    coordinator.open()
    with alder.playing() as playing:
        coordinator.invite(1)
        answer(birch, 1, **{what: "1" * 64})
        until_second_round(coordinator)
        with pytest.raises(EquivocationError, match="birch was shown another") as caught:
            playing.result(60)
    assert caught.value.code == "equivocation"
    files = convicted(alder)
    outcome = opened(alder.federation, files["outcome.json"]).read(OutcomeMessage)
    listed = opened(alder.federation, files[f"seen-federation-{coordinator.epoch}.json"]).read(
        FederationMessage
    )
    claim = claim_of(birch, outcome, listed)
    assert getattr(claim.seen, what) == "1" * 64
    shown = {"round": "rounds_000001_round", "run": "run", "members": f"federation-{coordinator.epoch}"}
    mine = files[f"seen-{shown[what]}.json"]
    assert sha256(mine) == getattr(outcome.seen, what) != getattr(claim.seen, what)


def claim_of(site: HandSite, outcome: OutcomeMessage, listed: FederationMessage) -> UpdateMessage:
    """What a member has signed, by the key of the list that is among the evidence."""
    data = outcome.claims[site.site].encode()
    binding = Binding(**json.loads(data)["binding"])
    key = type(site.channel.key.public)(listed.members[site.site])
    return open_envelope(data, kind="update", binding=binding, signer=site.site, public_key=key).read(
        UpdateMessage
    )


def test_who_was_shown_another_round_than_the_outcome_is_about_ends_the_run(
    coordinator: HandCoordinator, alder: LiveSite, birch: HandSite
) -> None:
    coordinator.open()
    with alder.playing() as playing:
        first = coordinator.invite(1)
        coordinator.claim("alder", 1)
        files, _ = coordinator.broadcast(1)
        other = first.model_copy(update={"cohort": ("alder",)})
        coordinator.sha["round 1"] = coordinator.overwrite(other, 1, tensors=files)
        answer(birch, 1)
        refused = (Refusal(site="alder", code="wrong-round", detail="another round"),)
        coordinator.conclude(1, ("birch",), refused=refused, status="failed")
        coordinator.invite(2)
        with pytest.raises(EquivocationError):
            playing.result(60)
    files_found = convicted(alder)
    outcome = opened(alder.federation, files_found["outcome.json"]).read(OutcomeMessage)
    assert outcome.seen is not None
    assert sha256(files_found["seen-rounds_000001_round.json"]) != outcome.seen.round


# --- what nobody has said ------------------------------------------------------------------------------------


def forged(birch: HandSite, claim: str) -> str:
    """Birch's claim with another key."""
    record = birch.channel.open(claim.encode(), UpdateMessage, birch.channel.author, 1)
    return birch.other(key=SigningKey.generate()).seal(record.message, 1, record.tensors).decode()


def altered(birch: HandSite, claim: str) -> str:
    document = json.loads(claim)
    document["payload"]["seen"]["round"] = "2" * 64
    return canonical(document).decode()


def anothers(birch: HandSite, claim: str) -> str:
    return (
        birch.other(run="another")
        .seal(birch.channel.open(claim.encode(), UpdateMessage, birch.channel.author, 1).message, 1)
        .decode()
    )


@pytest.mark.parametrize(
    "change",
    [forged, altered, anothers, lambda birch, claim: "{}", lambda birch, claim: None],
    ids=["signed with another key", "altered", "of another run", "no envelope", "left out"],
)
def test_an_answer_that_its_site_has_not_signed_does_not_count(
    change: Callable[[HandSite, str], str | None],
    coordinator: HandCoordinator,
    alder: LiveSite,
    birch: HandSite,
) -> None:
    coordinator.open()
    with alder.playing() as playing:
        coordinator.invite(1)
        answer(birch, 1)
        claims = {site: coordinator.claim(site, 1) for site in PAIR}
        said = change(birch, claims.pop("birch"))
        until_second_round(coordinator, claims=claims | ({} if said is None else {"birch": said}))
        with pytest.raises(EquivocationError, match="birch has not signed"):
            playing.result(60)
    convicted(alder, "unproven-answer")


def test_an_outcome_that_counts_a_stranger_or_too_few_ends_the_run(
    coordinator: HandCoordinator, alder: LiveSite
) -> None:
    coordinator.open()
    with alder.playing() as playing:
        coordinator.invite(1)
        claims = {"alder": coordinator.claim("alder", 1)}
        coordinator.conclude(1, ("alder", "alder"), claims=claims)  # once, twice: it is one
        coordinator.invite(2)
        with pytest.raises(EquivocationError, match="counts with 1 sites"):
            playing.result(60)
    convicted(alder, "below-quorum")


def test_a_run_that_ends_without_the_outcome_of_an_answer_is_no_good_end_whatever_its_end_says(
    coordinator: HandCoordinator, alder: LiveSite
) -> None:
    """An outcome that is never shown is compared with nothing, and the end counts the rounds as its author likes."""
    coordinator.open()
    with alder.playing() as playing:
        coordinator.invite(1)
        coordinator.claim("alder", 1)
        coordinator.end(0)
        with pytest.raises(RefusedError, match="no outcome of round 1") as caught:
            playing.result(60)
    assert caught.value.code == "missing-outcome"


def test_a_run_that_is_given_up_lacks_the_outcome_of_its_open_round_and_no_other(
    coordinator: HandCoordinator, alder: LiveSite
) -> None:
    coordinator.open()
    with alder.playing() as playing:
        coordinator.invite(1)
        coordinator.claim("alder", 1)
        coordinator.invite(2, previous="0" * 64)
        coordinator.claim("alder", 2)
        coordinator.end(0, "abandoned")
        with pytest.raises(RefusedError, match="no outcome of round 1"):
            playing.result(60)


# --- what was one thing and is another -------------------------------------------------------------------------


@pytest.fixture
def interrupted(coordinator: HandCoordinator, alder: LiveSite) -> Iterator[HandCoordinator]:
    """A run whose first round alder has answered before it was stopped."""
    coordinator.open()
    with alder.playing() as playing:
        coordinator.invite(1)
        coordinator.claim("alder", 1)
        alder.stop.set()
        assert playing.exception(60) is not None
    yield coordinator


def test_a_run_that_is_described_anew_after_a_site_joined_ends_there(
    interrupted: HandCoordinator, alder: LiveSite
) -> None:
    interrupted.overwrite(interrupted.describe(deadline_s=61.0))
    assert ends(alder).code == "equivocation"
    files = convicted(alder)
    first, second = (
        opened(alder.federation, files[f"{n}-run.json"]).read(RunMessage) for n in ("first", "second")
    )
    assert (first.deadline_s, second.deadline_s) == (60, 61)


def test_a_round_that_is_opened_anew_is_not_answered_again(
    interrupted: HandCoordinator, alder: LiveSite, birch: HandSite
) -> None:
    name, tensor = next(iter(interrupted.model.tensors.items()))
    files, _ = interrupted.broadcast(1, **{name: tensor + 1})
    message = birch.wait_round(1).message
    interrupted.overwrite(message, 1, tensors=files)
    own = interrupted.federation.exchange("alder").store(Layout(FEDERATION).site("alder"))
    key = interrupted.channel.where(UpdateMessage, 1)
    remove(interrupted.federation.world, Layout(FEDERATION).site("alder"), key)  # whoever runs the server can
    assert ends(alder).code == "equivocation"
    assert not own.exists(key)
    files_found = convicted(alder)
    for each in ("first", "second"):
        assert (
            opened(alder.federation, files_found[f"{each}-rounds_000001_round.json"]).read(RoundMessage)
            == message
        )


def test_an_altered_list_of_members_ends_every_later_run_of_its_epoch_too(
    interrupted: HandCoordinator, alder: LiveSite, program: Program, model: Broadcast, tmp_path: Path
) -> None:
    before = interrupted.members()
    cedar = SigningKey.generate().public.text
    interrupted.overwrite(interrupted.members(cedar=cedar))
    try:
        later = Federation(alder.federation.world, f"{alder.federation.run[:40]}-later")
        later.folder.rmdir()  # the same work folder, so that the site knows the list
        later.__dict__["folder"] = alder.federation.folder
        again = HandCoordinator(later, program.plan, model, tmp_path)
        again.channel.write(again.shared, again.describe())
        site = LiveSite(later, "alder", program)
        assert ends(site).code == "equivocation"
        convicted(site)
        assert ends(alder).code == "equivocation"
        files = convicted(alder)
        key = f"second-federation-{interrupted.epoch}.json"
        assert opened(later, files[key]).read(FederationMessage).members["cedar"] == cedar
    finally:
        interrupted.overwrite(before)


def test_a_round_that_follows_on_another_outcome_ends_the_run(
    coordinator: HandCoordinator, alder: LiveSite, birch: HandSite
) -> None:
    coordinator.open()
    with alder.playing() as playing:
        coordinator.invite(1)
        answer(birch, 1)
        until_second_round(coordinator)
        coordinator.claim("alder", 2)
        settled(alder, 1)
        answer(birch, 2)
        coordinator.conclude(2, PAIR)
        coordinator.invite(3, purpose="evaluate", splits=("validation", "test"), model=2)
        coordinator.claim("alder", 3)
        settled(alder, 2)
        outcome = coordinator.channel.read(
            coordinator.shared, OutcomeMessage, coordinator.channel.author, round=2
        )
        coordinator.overwrite(outcome.message.model_copy(update={"seconds": {"collect": 1.0}}), 2)
        alder.stop.set()
        assert playing.exception(60) is not None
    # The site's evaluation reads all outcomes again, and so does this look.
    from wardround.site.context import take_seat
    from wardround.site.hear import hear

    settings = alder.federation.site_settings("alder")
    seat = take_seat(settings, alder.federation.exchange("alder"), threading.Event())
    with pytest.raises(EquivocationError, match=r"two different rounds/000002/outcome\.json"):
        hear(seat.bound_to(alder.federation.digest), OutcomeMessage, 2)
    files = convicted(alder)
    assert {"first-rounds_000002_outcome.json", "second-rounds_000002_outcome.json"} <= files.keys()


def settled(site: LiveSite, number: int) -> None:
    """Waits until the site has compared a round's outcome."""
    for _ in range(600):
        path = site.work / "compared.txt"
        if path.exists() and str(number) in path.read_text().split():
            return
        threading.Event().wait(0.1)
    raise AssertionError(f"the outcome of round {number} was not compared")


def test_the_outcome_that_a_later_round_names_must_be_the_one_that_is_there(
    coordinator: HandCoordinator, alder: LiveSite, birch: HandSite
) -> None:
    coordinator.open()
    with alder.playing() as playing:
        coordinator.invite(1)
        answer(birch, 1)
        coordinator.conclude(1, PAIR)
        coordinator.sha["outcome 1"] = "3" * 64
        coordinator.invite(2)
        with pytest.raises(EquivocationError, match=r"outcome\.json"):
            playing.result(60)
    files = convicted(alder)
    follows = opened(alder.federation, files["seen-rounds_000002_round.json"]).read(RoundMessage).previous
    assert follows == "3" * 64 != sha256(files["second-rounds_000001_outcome.json"])


# --- afterwards ------------------------------------------------------------------------------------------------


def test_a_site_that_has_evidence_answers_nothing_more_until_a_person_moves_it_away(
    interrupted: HandCoordinator, alder: LiveSite, birch: HandSite, caplog: pytest.LogCaptureFixture
) -> None:
    original = interrupted.shared.get(interrupted.channel.where(RunMessage), limit=1 << 20)
    interrupted.overwrite(interrupted.describe(seed=2))
    with pytest.raises(EquivocationError) as caught:
        alder.play()
    assert str(alder.work / "evidence") in str(caught.value)
    interrupted.overwrite_bytes(interrupted.channel.where(RunMessage), original)
    answer(birch, 1)
    until_second_round(interrupted)
    assert ends(alder).code == "equivocation"
    own = alder.federation.exchange("alder").store(Layout(FEDERATION).site("alder"))
    assert not own.exists(interrupted.channel.where(UpdateMessage, 2))
    (alder.work / "evidence").rename(alder.work / "looked-at")
    with alder.playing():
        assert interrupted.claim("alder", 2)


# --- a site that lies costs only itself --------------------------------------------------------------------------


def test_a_site_that_claims_to_have_seen_something_else_is_refused_and_the_run_goes_on(
    attacked: Federation, tmp_path: Path
) -> None:
    lies = ("round", "run", "members")
    attacked.changes = {"rounds": len(lies)}
    actors = attacked.start_all(PAIR)
    cedar = HandSite(attacked, "cedar", tmp_path)
    cedar.join()
    for number, what in enumerate(lies, 1):
        answer(cedar, number, **{what: "1" * 64})
    answer(cedar, len(lies) + 1)
    assert [actor.wait() for actor in actors] == [0, 0, 0]
    *rounds, last = attacked.outcomes()
    refused = [(each.site, each.code) for outcome in rounds for each in outcome.refused]
    assert refused == [("cedar", f"wrong-{what}") for what in lies]
    assert {outcome.accepted for outcome in rounds} == {PAIR}
    assert set(last.claims) == set(last.accepted) == {"alder", "birch", "cedar"}
    assert not list(attacked.folder.rglob("evidence"))


# --- outcomes that are none ------------------------------------------------------------------------------------


def unsigned(coordinator: HandCoordinator) -> bytes:
    outcome = OutcomeMessage(status="failed", model=0, accepted=(), refused=(), missing=())
    return replace(coordinator.channel, key=SigningKey.generate()).seal(outcome, 1)


def flooded(coordinator: HandCoordinator) -> bytes:
    refusal = Refusal(site="alder", code="x", detail="\x1b[2J\u202e" * 50)
    outcome = OutcomeMessage(status="failed", model=0, accepted=(), refused=(refusal,) * 500, missing=())
    return coordinator.channel.seal(outcome, 1)


def oversized(coordinator: HandCoordinator) -> bytes:
    return b"[" * (9 << 20)


def not_a_number(coordinator: HandCoordinator) -> bytes:
    return flooded(coordinator)[:-1] + b',"x":NaN}'


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (unsigned, "forged-signature"),
        (flooded, "malformed"),
        (oversized, "oversized"),
        (not_a_number, "malformed"),
    ],
)
def test_an_outcome_that_is_not_the_coordinators_ends_the_run_with_its_code(
    made: Callable[[HandCoordinator], bytes],
    code: str,
    coordinator: HandCoordinator,
    alder: LiveSite,
    caplog: pytest.LogCaptureFixture,
) -> None:
    coordinator.open()
    with alder.playing() as playing:
        coordinator.invite(1)
        coordinator.claim("alder", 1)
        data = made(coordinator)
        coordinator.overwrite_bytes(coordinator.channel.where(OutcomeMessage, 1), data)
        coordinator.sha["outcome 1"] = sha256(data)
        coordinator.invite(2)
        with pytest.raises(RefusedError) as caught:
            playing.result(60)
    assert caught.value.code == code
    assert "\x1b" not in caplog.text and "\u202e" not in caplog.text and len(caplog.text) < 20_000
