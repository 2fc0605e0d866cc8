"""When a round closes, and in which order its sum may grow."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from wardround.coordinator.check import Spooled
from wardround.coordinator.collect import Answers
from wardround.coordinator.members import cohort
from wardround.exchange.envelope import TensorFile
from wardround.exchange.messages import JoinMessage, Refusal

EVERYBODY = {"alder", "birch", "cedar", "dogwood"}


def update(site: str) -> Spooled:
    file = TensorFile(sha256="0" * 64, size=1)
    return Spooled(site, "update-0000000000000000.safetensors", file, Path("x"), claim="{}")


def refusal(site: str) -> Refusal:
    return Refusal(site=site, code="not-finite", detail="x")


def test_a_round_is_complete_when_all_that_are_waited_for_answered() -> None:
    answers = Answers(set(), accepted={"alder": update("alder"), "birch": update("birch")})
    assert answers.is_complete(2, EVERYBODY)
    answers.waiting.add("cedar")
    assert not answers.is_complete(2, EVERYBODY)


def test_below_quorum_a_round_waits_for_whoever_may_still_come() -> None:
    answers = Answers(set(), accepted={"alder": update("alder")}, refused={"birch": refusal("birch")})
    assert not answers.is_complete(2, EVERYBODY)
    assert answers.is_complete(2, {"alder", "birch"})


def test_the_sum_grows_up_to_the_first_name_that_is_still_waited_for() -> None:
    answers = Answers({"birch"}, accepted={site: update(site) for site in ("cedar", "alder")})
    assert answers.ready() == ["alder"]
    answers.waiting.clear()
    assert answers.ready() == ["alder", "cedar"]


def test_the_decision_tells_accepted_refused_and_missing_apart() -> None:
    answers = Answers({"cedar"}, accepted={"alder": update("alder")}, refused={"birch": refusal("birch")})
    decision = answers.decide({"alder", "birch", "cedar"}, {})
    assert list(decision.accepted) == ["alder"]
    assert [entry.site for entry in decision.refused] == ["birch"]
    assert decision.missing == ("cedar",)


def test_a_site_that_was_missing_is_not_in_the_next_cohort() -> None:
    joined = {site: JoinMessage(approved="a" * 64, public_key="a" * 64, examples={}) for site in EVERYBODY}
    assert cohort(joined, ("birch",)) == ("alder", "cedar", "dogwood")


@given(st.permutations(sorted(EVERYBODY)), st.integers(0, 4))
def test_what_is_ready_only_ever_grows_at_its_end(order: list[str], refused: int) -> None:
    answers, before = Answers(set(order)), []
    for number, site in enumerate(order):
        answers.waiting.discard(site)
        if number < refused:
            answers.refused[site] = refusal(site)
        else:
            answers.accepted[site] = update(site)
        assert answers.ready()[: len(before)] == before
        before = answers.ready()
    assert before == sorted(answers.accepted)
