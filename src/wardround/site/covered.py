"""Whether a run, and each of its rounds, asks for no more than the approved plan's recipe says.

A hospital approves a recipe: so many rounds, evaluated so often, and the test split once, at the end. The coordinator
writes `run.json` and `round.json`; what goes beyond the recipe is refused before anything runs.
"""

from typing import NoReturn

from wardround.errors import RefusedError
from wardround.exchange.errors import MissingError
from wardround.exchange.messages import OutcomeMessage, RoundMessage, RunMessage, Split
from wardround.recipe import Recipe
from wardround.recipe.bounds import MORE_THAN_APPROVED, last_round, why_beyond
from wardround.site.answers import Answer, Answers
from wardround.site.context import Seat
from wardround.site.hear import hear
from wardround.site.invitation import Invitation


def why_run_beyond(run: RunMessage, recipe: Recipe) -> str | None:
    """What a run asks beyond its plan's recipe, or None."""
    return why_beyond(
        recipe,
        rounds=run.rounds,
        quorum=run.quorum,
        evaluate_every=run.evaluate_every,
        seed=run.seed,
    )


def check_round(
    seat: Seat, recipe: Recipe, run: RunMessage, invitation: Invitation, answers: Answers, *, evaluates: bool
) -> None:
    """Raises RefusedError (`more-than-approved`) for a round that this site must not answer.

    Law: whatever a coordinator asks, a run has the answers of at most `run.rounds` models with training and of one
    closing evaluation, each again only after a round that failed, and at most `rounds.max_failed` times.
    `evaluates`: whether the plan has an evaluation.
    """
    message, number = invitation.message, invitation.number
    known = answers.get(number)
    if known is not None and known.broadcast == invitation.file.sha256:
        return  # the same question again: what is sent is what was sent
    _check_number(number, message, recipe, answers.last())
    _check_splits(number, message, recipe, evaluates=evaluates)
    _check_count(number, message, run, answers)
    _check_repetition(seat, recipe, invitation, answers)


def _check_number(number: int, message: RoundMessage, recipe: Recipe, last: Answer | None) -> None:
    if number > last_round(recipe):
        _refuse(number, f"its recipe lets a run have {last_round(recipe)} rounds, failed ones included")
    if last is not None and number <= last.round:
        _refuse(number, f"this site has answered round {last.round} already, and rounds do not go back")
    if message.model >= number:
        _refuse(number, f"it asks for model {message.model}, which an earlier round would have made")
    if last is not None and message.model < last.model:
        _refuse(number, f"it asks for model {message.model}, and model {last.model} was asked for before")


def _check_splits(number: int, message: RoundMessage, recipe: Recipe, *, evaluates: bool) -> None:
    legal = _legal_splits(message, recipe, evaluates=evaluates)
    if message.purpose == "evaluate" and not legal:
        _refuse(number, "it only evaluates, and the plan has no evaluation")
    if message.splits not in ((), legal):
        _refuse(
            number,
            f"it asks for the splits {list(message.splits)} of model {message.model}; legal: {list(legal)}",
        )


def _legal_splits(message: RoundMessage, recipe: Recipe, *, evaluates: bool) -> tuple[Split, ...]:
    """On which splits a round may evaluate: both in the closing evaluation, validation where a model is due."""
    if not evaluates:
        return ()
    if message.purpose == "evaluate":
        return ("validation", "test")
    every = recipe.evaluation.every
    return ("validation",) if every and message.model and message.model % every == 0 else ()


def _check_count(number: int, message: RoundMessage, run: RunMessage, answers: Answers) -> None:
    trained = {answer.model for answer in answers.all() if answer.purpose == "train"}
    closing = {answer.model for answer in answers.all() if answer.purpose == "evaluate"}
    if message.purpose == "train" and len(trained | {message.model}) > run.rounds:
        _refuse(
            number, f"this site has trained on {len(trained)} models, and the run has {run.rounds} rounds"
        )
    if closing and (message.purpose == "train" or message.model not in closing):
        _refuse(number, "the closing evaluation was answered, and nothing comes after it")


def _check_repetition(seat: Seat, recipe: Recipe, invitation: Invitation, answers: Answers) -> None:
    number, message = invitation.number, invitation.message
    before = [answer for answer in answers.all() if answer.model == message.model]
    if not before:
        return
    if len(before) >= recipe.rounds.max_failed:
        _refuse(
            number, f"model {message.model} was answered {len(before)} times, as often as the recipe allows"
        )
    if any(answer.broadcast != invitation.file.sha256 for answer in before):
        _refuse(
            number, f"it broadcasts other bytes as model {message.model} than round {before[-1].round} did"
        )
    if not _has_failed(seat, before[-1].round):
        _refuse(
            number, f"model {message.model} was answered in round {before[-1].round}, which has not failed"
        )


def _has_failed(seat: Seat, number: int) -> bool:
    # The only outcome that is read before an answer, and only where a round is tried again.
    try:
        return hear(seat, OutcomeMessage, number).message.status == "failed"
    except MissingError:
        return False


def _refuse(number: int, why: str) -> NoReturn:
    raise RefusedError(
        f"round {number} asks for more than was approved: {why}. Nothing was answered; ask the coordinator",
        code=MORE_THAN_APPROVED,
    )
