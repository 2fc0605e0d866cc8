"""What a run may ask at most of a plan that was approved: its recipe says it, and no coordinator more."""

from wardround.recipe.schema import Recipe

MORE_THAN_APPROVED = "more-than-approved"


def why_beyond(recipe: Recipe, *, rounds: int, quorum: int, evaluate_every: int, seed: int) -> str | None:
    """What a run asks beyond its recipe, or None.

    Fewer rounds and a larger quorum reveal less than what was approved; deadlines reveal nothing. A smaller quorum
    shows a sum of fewer hospitals than the approval's page says.
    """
    most, least = recipe.rounds.count, recipe.rounds.quorum
    if rounds > most:
        return f"has {rounds} rounds; its recipe has {most}"
    if quorum < least:
        return f"lets a round count with {quorum} hospitals; its recipe needs {least}"
    if evaluate_every != recipe.evaluation.every:
        return f"evaluates every {evaluate_every} rounds; its recipe says {recipe.evaluation.every}"
    return f"has seed {seed}; its recipe's is {recipe.seed}" if seed != recipe.seed else None


def last_round(recipe: Recipe) -> int:
    """The largest number that a round can have: every model, and the closing evaluation, after as many failed tries as
    the recipe allows in a row."""
    return (recipe.rounds.count + 1) * recipe.rounds.max_failed
