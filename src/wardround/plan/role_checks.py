"""What follows from knowing what the leaves of an update are: weights, counts and norms that no honest site has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wardround.errors import RefusedError
from wardround.plan.data import Array
from wardround.plan.format import MeanRoles, NormBound, UpdateRoles
from wardround.plan.norms import largest
from wardround.plan.process import Tensors
from wardround.recipe import Recipe

# Norms, weights and sums are made in float32 at the site, in another order than here. A sum of 10^8 squares in
# TensorFlow's tree of partial sums is off by less than 1e-5 of itself; a hundred times that costs no honest site its
# update, and gains a lying one nothing.
_SLACK = 1e-3
MAX_LOSS = (
    1e6  # of one example, nat; the loss of a model that gives the truth float32's smallest chance is 104
)
# No finite training moves the weights of a normalised model by this much (root mean square); a poisoned or diverged
# one does. Of a sum over examples it is per example: a large hospital may send large sums.
MAX_CHANGE = 1e3
_LEVELS = 255  # steps between a compressed tensor's least and largest value


@dataclass(frozen=True)
class Summed:
    """What an update adds to the sum, and the sum of the squares of each of its float leaves."""

    tensors: Tensors
    squares: Mapping[str, float]


def check_roles(
    roles: UpdateRoles, recipe: Recipe, summed: Summed, examples: int, state: Tensors | None
) -> None:
    """Check the summed leaves of a training's update.

    `examples`: the most that the site can have trained on, every epoch counted; `state`: that was broadcast (None
    leaves estimated norms unchecked). Raises RefusedError `out-of-range`, `norm-bound`, `inconsistent`.
    """
    count = _within(roles.num_examples, summed, 0, examples)
    _within(roles.correct, summed, 0, count)
    _within(roles.loss_sum, summed, -_SLACK * count, MAX_LOSS * count)
    is_uniform = recipe.algorithm.weighting == "uniform"
    for mean in filter(None, (roles.change, roles.gradient)):
        weight = _within(mean.weight, summed, 0, 1 if is_uniform else count * (1 + _SLACK))
        if is_uniform and weight not in (0.0, 1.0):
            raise RefusedError(f"{mean.weight} is {weight:.9g}, legal are 0 and 1", code="out-of-range")
        _check_mean(mean, summed, weight, state, compressed=recipe.aggregation.compressed)


def _check_mean(
    mean: MeanRoles, summed: Summed, weight: float, state: Tensors | None, *, compressed: bool
) -> None:
    values = {name: _leaf(summed.tensors, name) for name in mean.value}
    norms = {name: math.sqrt(summed.squares.get(name, 0.0)) for name in values}
    if compressed:
        norms = {name: max(0.0, norms[name] - _rounding(value)) for name, value in values.items()}
    found = math.hypot(*norms.values())
    most = MAX_CHANGE * math.sqrt(sum(value.size for value in values.values()))
    if mean.clipping is not None:
        most = min(most, _bound(mean.clipping, state))
        _check_clipping(mean.clipping, summed)
    _check_norm(mean, found, most, weight)
    if mean.zeroing is not None:
        peak = max(float(largest(value)) for value in values.values())
        _check_norm(mean, peak, _bound(mean.zeroing, state), weight)
        _check_zeroing(mean.zeroing, summed, found)


def _check_norm(mean: MeanRoles, found: float, most: float, weight: float) -> None:
    """A change is multiplied by its weight before it is sent; of weight 0 nothing may be left."""
    if found > most * weight * (1 + _SLACK):
        raise RefusedError(
            f"{mean.value[0]} and what belongs to it has norm {found:.6g}, legal is at most {most:.6g} × its weight "
            f"{weight:.6g}",
            code="norm-bound",
        )


def _check_clipping(bound: NormBound, summed: Summed) -> None:
    clipped, below = _count(bound, summed), _below(bound, summed)
    if clipped is not None and below is not None and clipped == below:
        raise RefusedError(
            f"{bound.count} is {clipped} and {bound.below} {below - 0.5:+g}: clipped means above the estimate",
            code="inconsistent",
        )


def _check_zeroing(bound: NormBound, summed: Summed, found: float) -> None:
    zeroed, below = _count(bound, summed), _below(bound, summed)
    if zeroed and (found or below):
        raise RefusedError(
            f"{bound.count} is 1, but the change has norm {found:.6g} and the estimate's count {bound.below} is "
            f"{(below or 0) - 0.5:+g}: what was zeroed is 0, and was above the estimate",
            code="inconsistent",
        )


def _count(bound: NormBound, summed: Summed) -> int | None:
    """Whether the site says that it acted; None where it is not asked."""
    return None if bound.count is None else int(_within(bound.count, summed, 0, 1))


def _below(bound: NormBound, summed: Summed) -> int | None:
    """Whether the site says that its norm is within the estimate; None where it is not asked."""
    if bound.below is None or bound.ones is None:
        return None
    _within(bound.ones, summed, 1, 1)
    value = _within(bound.below, summed, -0.5, 0.5)
    if value not in (-0.5, 0.5):
        raise RefusedError(f"{bound.below} is {value:.9g}, legal are -0.5 and 0.5", code="out-of-range")
    return int(value > 0)


def _bound(bound: NormBound, state: Tensors | None) -> float:
    if bound.estimate is None:
        return bound.plus
    if state is None:
        return float("inf")
    return bound.factor * float(_leaf(state, f"state/{bound.estimate}").reshape(-1)[0]) + bound.plus


def _rounding(value: Array) -> float:
    """The most by which a norm can have grown when values were rounded to the nearest of 256 steps of their range."""
    return math.sqrt(value.size) * float(np.ptp(value.astype(np.float64))) / _LEVELS / 2


def _within(name: str, summed: Summed, least: float, most: float) -> float:
    value = _leaf(summed.tensors, name)
    low, high = value.min().item(), value.max().item()
    if low < least or high > most:
        raise RefusedError(
            f"{name} is {high if high > most else low:.9g}, legal are {least:.9g} to {most:.9g}",
            code="out-of-range",
        )
    return float(high)


def _leaf(tensors: Tensors, name: str) -> Array:
    if name not in tensors or not tensors[name].size:
        raise RefusedError(
            f"the plan says that {name} has a meaning, but it has no such tensor", code="wrong-tensors"
        )
    return tensors[name]
