"""Which rounds a site answers: the law, over whatever a coordinator asks."""

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wardround.errors import RefusedError
from wardround.exchange.directory import DirectoryExchange
from wardround.exchange.envelope import SigningKey, TensorFile
from wardround.exchange.layout import Layout
from wardround.exchange.messages import OutcomeMessage, RoundMessage, RunMessage, Seen
from wardround.exchange.records import Channel, Peer
from wardround.recipe import Recipe
from wardround.recipe.bounds import last_round, why_beyond
from wardround.site.answers import Answer, Answers
from wardround.site.context import Seat
from wardround.site.covered import check_round
from wardround.site.invitation import Invitation
from wardround.site.settings import SiteSettings

COORDINATOR, SITE = SigningKey.generate(), SigningKey.generate()
SEEN = Seen(round="d" * 64, run="e" * 64, members="f" * 64)


def recipe(count: int = 3, quorum: int = 2, every: int = 2, max_failed: int = 2) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "tiny",
            "task": {"labels": ["a", "b"]},
            "model": {"builtin": "logistic"},
            "rounds": {"count": count, "quorum": quorum, "max_failed": max_failed},
            "evaluation": {"every": every},
        }
    )


def seat(folder: Path) -> Seat:
    exchange = DirectoryExchange(folder / "exchange")
    exchange.create_bucket(Layout("north").federation)
    given = {"federation": "north", "site": "alder", "run": "first", "exchange": "unused"}
    keys = {"key_file": folder / "unused", "coordinator_key": COORDINATOR.public.text, "work": folder}
    channel = Channel("north", "first", "alder", SITE, "a" * 64)
    work = folder / "north" / "alder" / "first"
    work.mkdir(parents=True)
    peer = Peer("coordinator", COORDINATOR.public)
    return Seat(channel, peer, exchange, work, SiteSettings(**given, **keys), threading.Event())


def run(**changes: Any) -> RunMessage:
    made = RunMessage(
        plan_digest="a" * 64,
        epoch=1,
        rounds=3,
        quorum=2,
        deadline_s=1,
        join_deadline_s=1,
        evaluate_every=2,
        seed=1,
        started="2026-01-01T00:00:00+00:00",
    )
    return made.model_copy(update=changes)


Asked = tuple[int, str, int, tuple[str, ...], str, str]
SPLITS = st.sampled_from([(), ("validation",), ("test",), ("validation", "test"), ("test", "validation")])
# How far the round's number is ahead, its purpose, model, splits, broadcast, and what its outcome says.
ASKED = st.tuples(
    st.integers(-1, 2),
    st.sampled_from(["train", "train", "train", "evaluate"]),
    st.integers(0, 6),
    SPLITS,
    st.sampled_from("bc"),
    st.sampled_from(["completed", "failed", "failed", "evaluated"]),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.lists(ASKED, max_size=14), rounds=st.integers(1, 3))
def test_whatever_is_asked_no_more_is_answered_than_was_approved(
    tmp_path_factory: pytest.TempPathFactory, asked: list[Asked], rounds: int
) -> None:
    here, bounds = seat(tmp_path_factory.mktemp("seat")), recipe()
    number = 1
    for step, purpose, model, splits, broadcast, status in asked:
        number = max(1, number + step)
        answers = Answers(here)  # as after a restart
        message = RoundMessage(purpose=purpose, model=model, splits=splits, cohort=("alder",))
        file = TensorFile(sha256=broadcast * 64, size=1)
        invitation = Invitation(number, message, "broadcast", file, "d" * 64)
        try:
            check_round(here, bounds, run(rounds=rounds), invitation, answers, evaluates=True)
        except RefusedError as error:
            assert error.code == "more-than-approved"
            continue
        answers.add(answer_to(invitation))
        say_outcome(here, number, model, status)
    hold(Answers(here).all(), rounds, bounds)


def answer_to(invitation: Invitation) -> Answer:
    message = invitation.message
    return Answer(
        round=invitation.number,
        purpose=message.purpose,
        model=message.model,
        splits=message.splits,
        broadcast=invitation.file.sha256,
        update="0" * 64,
        seen=SEEN,
    )


def say_outcome(here: Seat, number: int, model: int, status: Any) -> None:
    channel = Channel("north", "first", "coordinator", COORDINATOR, "a" * 64)
    outcome = OutcomeMessage(status=status, model=model, accepted=(), refused=(), missing=())
    if not here.shared.exists(channel.where(OutcomeMessage, number)):
        channel.write(here.shared, outcome, round=number)


def hold(answers: list[Answer], rounds: int, bounds: Recipe) -> None:
    """The law of `check_round`."""
    trained = [answer for answer in answers if answer.purpose == "train"]
    closing = [answer for answer in answers if answer.purpose == "evaluate"]
    assert len({answer.model for answer in trained}) <= rounds
    assert len({answer.model for answer in closing}) <= 1
    for model in {answer.model for answer in answers}:
        same = [answer for answer in answers if answer.model == model]
        assert len(same) <= bounds.rounds.max_failed
        assert len({answer.broadcast for answer in same}) == 1
    assert all(answer.splits in ((), ("validation",)) for answer in trained)
    assert all(answer.model and answer.model % 2 == 0 for answer in trained if answer.splits)
    assert all(answer.round <= last_round(bounds) and answer.model < answer.round for answer in answers)
    models = [answer.model for answer in answers]
    assert models == sorted(models)
    assert not closing or all(answer.round < closing[0].round for answer in trained)


def test_a_plan_without_an_evaluation_is_not_evaluated(tmp_path: Path) -> None:
    here = seat(tmp_path)
    file = TensorFile(sha256="b" * 64, size=1)
    for message in (
        RoundMessage(purpose="train", model=2, splits=("validation",), cohort=()),
        RoundMessage(purpose="evaluate", model=2, splits=(), cohort=()),
    ):
        invitation = Invitation(3, message, "broadcast", file, "d" * 64)
        with pytest.raises(RefusedError) as caught:
            check_round(here, recipe(), run(), invitation, Answers(here), evaluates=False)
        assert caught.value.code == "more-than-approved"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"rounds": 1}, None),
        ({"quorum": 3}, None),
        ({"rounds": 4}, "has 4 rounds; its recipe has 3"),
        ({"quorum": 1}, "lets a round count with 1 hospitals; its recipe needs 2"),
        ({"evaluate_every": 1}, "evaluates every 1 rounds; its recipe says 2"),
        ({"evaluate_every": 4}, "evaluates every 4 rounds; its recipe says 2"),
        ({"seed": 7}, "has seed 7; its recipe's is 1"),
    ],
)
def test_a_run_may_ask_for_less_than_its_recipe_and_not_for_more(
    changes: dict[str, int], why: str | None
) -> None:
    honest = {"rounds": 3, "quorum": 2, "evaluate_every": 2, "seed": 1}
    assert why_beyond(recipe(), **(honest | changes)) == why
