"""What comes next in a run follows from its outcomes alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardround.coordinator.context import Rules
from wardround.coordinator.ends import final_of
from wardround.coordinator.history import History, best, has_plateaued, next_step, splits_of
from wardround.exchange.messages import Measured, OutcomeMessage

COMPLETED, FAILED, EVALUATED = "completed", "failed", "evaluated"


def rules(**changes: Any) -> Rules:
    fields = {
        "rounds": 3,
        "quorum": 2,
        "deadline_s": 1.0,
        "join_deadline_s": 1.0,
        "max_failed": 3,
        "evaluate_every": 1,
        "evaluates": True,
        "per_site": False,
        "positive": 1,
        "seed": 1,
    }
    return Rules(**(fields | changes))


def history(*rounds: tuple[str, float | None]) -> History:
    """Outcomes with these statuses and AUROCs of the model that was broadcast."""
    outcomes: list[OutcomeMessage] = []
    for status, auroc in rounds:
        model = History(tuple(outcomes)).model
        evaluation = {} if auroc is None else {"validation": {"auroc": auroc, "loss": 1 - auroc}}
        measured = Measured(evaluation=evaluation)
        outcomes.append(
            OutcomeMessage(status=status, model=model, accepted=(), refused=(), missing=(), measured=measured)
        )
    return History(tuple(outcomes))


def test_a_run_trains_evaluates_and_ends() -> None:
    assert next_step(history(), rules()) == "train"
    trained = history(*[(COMPLETED, None)] * 3)
    assert next_step(trained, rules()) == "evaluate"
    assert next_step(history(*[(COMPLETED, None)] * 3, (EVALUATED, 0.9)), rules()) == "finished"


def test_a_plan_without_evaluation_ends_after_training() -> None:
    assert next_step(history(*[(COMPLETED, None)] * 3), rules(evaluates=False)) == "finished"


def test_failed_rounds_do_not_count_and_only_those_in_a_row_abandon() -> None:
    mixed = history((FAILED, None), (FAILED, None), (COMPLETED, None), (FAILED, None), (FAILED, None))
    assert mixed.completed == [3] and mixed.failed_in_a_row == 2
    assert next_step(mixed, rules()) == "train"
    assert next_step(history(*[(FAILED, None)] * 3), rules()) == "abandoned"


def test_a_failed_closing_evaluation_is_repeated() -> None:
    assert next_step(history(*[(COMPLETED, None)] * 3, (FAILED, None)), rules()) == "evaluate"


def test_training_stops_when_patience_ends_and_the_closing_evaluation_follows() -> None:
    plateau = history((COMPLETED, None), (COMPLETED, 0.8), (COMPLETED, 0.7), (COMPLETED, 0.8))
    patient = rules(rounds=9, patience=2)
    assert has_plateaued(plateau, patient)
    assert next_step(plateau, patient) == "evaluate"
    closed = history(*[(COMPLETED, v) for v in (None, 0.8, 0.7, 0.8)], (EVALUATED, 0.6))
    assert next_step(closed, patient) == "early-stopped"
    assert not has_plateaued(plateau, rules(rounds=9, patience=3))


def test_of_equal_models_the_earlier_is_champion() -> None:
    final = final_of(history(*[(COMPLETED, v) for v in (None, 0.8, 0.9, 0.9)]), "finished", "val_auc")
    assert (final.champion, final.metric, final.last) == (2, 0.9, 4)


def test_less_loss_is_better() -> None:
    assert best([(1, 0.5), (2, 0.3), (3, 0.4)], "val_loss") == (2, 0.3)


def test_without_evaluation_the_last_model_is_champion() -> None:
    final = final_of(history((COMPLETED, None), (COMPLETED, None)), "finished", "val_auc")
    assert (final.champion, final.metric) == (2, None)


def test_a_run_cannot_end_in_the_middle() -> None:
    with pytest.raises(ValueError, match="legal: finished"):
        final_of(history(), "train", "val_auc")


def test_the_first_model_is_not_evaluated_and_every_second_one_if_so_asked() -> None:
    every_second = rules(evaluate_every=2)
    assert splits_of(history(), "train", rules()) == ()
    assert splits_of(history((COMPLETED, None)), "train", rules()) == ("validation",)
    assert splits_of(history((COMPLETED, None)), "train", every_second) == ()
    assert splits_of(history(*[(COMPLETED, None)] * 2), "train", every_second) == ("validation",)
    assert splits_of(history(*[(COMPLETED, None)] * 3), "evaluate", every_second) == ("validation", "test")


@given(st.lists(st.tuples(st.sampled_from([COMPLETED, FAILED]), st.none() | st.floats(0, 1)), max_size=30))
def test_every_history_leads_on_and_its_model_is_one_that_was_made(
    rounds: list[tuple[str, float | None]],
) -> None:
    past = history(*rounds)
    assert next_step(past, rules(patience=2)) in ("train", "evaluate", "abandoned")
    assert past.model in (0, *past.completed)
    assert [outcome.model for outcome in past.outcomes] == sorted(outcome.model for outcome in past.outcomes)
