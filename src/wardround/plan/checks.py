"""Can an honest site have made this update? Shapes and dtypes are the reader's business, values are this module's.

    every plan          finite floats, a bounded change of each weight and example, integers whose sum over all
                        members fits their dtype, secure tensors within their bits
    where the plan says what its leaves are (`plan.role_checks`)
                        weights and counts by what the site joined with, and the norms that it was to clip to

What is summed is looked at: of compressed changes, what `accumulate` makes of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from wardround.errors import RefusedError
from wardround.evaluation import sums
from wardround.plan.data import Array
from wardround.plan.norms import largest, squares
from wardround.plan.process import Tensors, unprefixed
from wardround.plan.program import Program
from wardround.plan.role_checks import MAX_CHANGE, MAX_LOSS, Summed, check_roles

_ANY_EXAMPLES = dict.fromkeys(("train", "validation", "test"), 2**30)


@dataclass(frozen=True)
class Site:
    """Whose update it is: the examples of each split that the site joined with, of how many `members` updates a sum
    may be made, and the server state that the round's broadcast was made of (names `state/…`)."""

    examples: Mapping[str, int] = field(default_factory=lambda: _ANY_EXAMPLES)
    members: int = 1
    state: Tensors | None = None


ANYBODY = Site()


def check_update(
    program: Program, kinds: tuple[str, ...], tensors: Mapping[str, Array], site: Site = ANYBODY
) -> None:
    """Check the values of an update whose names, shapes and dtypes were checked.

    Raises RefusedError, and nothing else whatever the values are: `not-finite` (NaN or infinity), `out-of-range` (an
    integer, weight or count that no honest site has), `norm-bound` (changes larger than what is learned or was to be
    clipped to), `inconsistent` (figures that contradict each other), `graph-failed` or `not-summable` (the plan's
    sum fails on it, or is not finite).
    """
    for kind in kinds:
        if kind == "train":
            _check_training(program, tensors, site)
        else:
            most = site.examples.get(kind.removeprefix("evaluate."), 0)
            sums.check(unprefixed(tensors, f"{kind}/"), program.classes, most=most)


def _check_training(program: Program, tensors: Mapping[str, Array], site: Site) -> None:
    _check_sent(program, tensors)
    summed = program.summed(tensors)
    found = {name: squares(value) for name, value in summed.items() if _is_float(value)}
    for name, square in found.items():
        _check_finite(f"train/{name}", summed[name], square)
    examples = site.examples.get("train", 0) * program.recipe.algorithm.client.epochs
    if program.update_roles is not None:
        check_roles(program.update_roles, program.recipe, Summed(summed, found), examples, site.state)
    # A loss has its own bound, which is larger: of a model that another site has spoiled it is huge, and honest.
    known = {program.update_roles.loss_sum} if program.update_roles is not None else set()
    for name, value in summed.items():
        most = MAX_LOSS if name in known else MAX_CHANGE
        _check_summand(f"train/{name}", value, found.get(name, 0.0), most * max(examples, 1), site.members)


def _check_sent(program: Program, tensors: Mapping[str, Array]) -> None:
    """What has to hold before anything can be decoded."""
    limits = program.limits(("train",))
    for name in program.update_spec(("train",)):
        if name in limits:
            _check_range(name, tensors[name], limits[name])
        elif _is_float(tensors[name]) and not program.adds_as_sent:
            _check_finite(name, tensors[name], squares(tensors[name]))


def _check_range(name: str, value: Array, limit: int) -> None:
    if value.size and (int(value.min()) < 0 or int(value.max()) >= limit):
        raise RefusedError(
            f"{name} holds values from {value.min()} to {value.max()}, legal are 0 to {limit - 1}",
            code="out-of-range",
        )


def _is_float(value: Array) -> bool:
    return np.issubdtype(value.dtype, np.floating)


def _check_finite(name: str, value: Array, square: float) -> None:
    if not np.isfinite(square) and not np.isfinite(value).all():
        bad = int(value.size - np.isfinite(value).sum())
        raise RefusedError(
            f"{name} holds {bad} values that are NaN or infinite, legal are finite ones", code="not-finite"
        )


def _check_summand(name: str, value: Array, square: float, each: float, members: int) -> None:
    """Whether so many such tensors can be added without leaving their dtype, and are not absurdly large."""
    if np.issubdtype(value.dtype, np.integer):
        share = int(np.iinfo(value.dtype).max) // members
        if value.size and largest(value) > share:
            raise RefusedError(
                f"{name} holds values from {value.min()} to {value.max()}, legal are {-share} to {share}, so that "
                f"those of {members} members fit {value.dtype}",
                code="out-of-range",
            )
    elif _is_float(value):
        most = each * math.sqrt(max(value.size, 1))
        most = min(most, float(np.finfo(value.dtype).max) / members)
        if math.sqrt(square) > most:
            raise RefusedError(
                f"{name} has norm {math.sqrt(square):.3g}, legal is at most {most:.3g}", code="norm-bound"
            )
