"""Is an update what the plan says? Shapes and dtypes are the reader's business, values are this module's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wardround.errors import RefusedError
from wardround.plan.data import Array
from wardround.plan.program import Program

MAX_NORM = 1e6  # no finite training step of a normalised model comes near; a poisoned or diverged one does


def check_update(program: Program, kinds: tuple[str, ...], tensors: Mapping[str, Array]) -> None:
    """Check the values of an update whose names, shapes and dtypes were checked.

    Raises RefusedError: `not-finite` (NaN or infinity), `out-of-range` (a secure tensor outside its bit
    width), `norm-bound` (Euclidean norm of a plain float tensor above 1e6).
    """
    limits = program.limits(kinds)
    for name in program.update_spec(kinds):
        value = tensors[name]
        if name in limits:
            _check_range(name, value, limits[name])
        elif np.issubdtype(value.dtype, np.floating):
            _check_float(name, value)


def _check_range(name: str, value: Array, limit: int) -> None:
    if value.size and (int(value.min()) < 0 or int(value.max()) >= limit):
        raise RefusedError(
            f"{name} holds values from {value.min()} to {value.max()}, legal are 0 to {limit - 1}",
            code="out-of-range",
        )


def _check_float(name: str, value: Array) -> None:
    # One dot product finds NaN, infinity and size together, without a temporary array.
    flat = value.reshape(-1)
    square = float(np.dot(flat, flat)) if flat.size else 0.0
    if np.isfinite(square) and square <= MAX_NORM**2:
        return
    if not np.isfinite(flat).all():
        bad = int(flat.size - np.isfinite(flat).sum())
        raise RefusedError(
            f"{name} holds {bad} values that are NaN or infinite, legal are finite ones", code="not-finite"
        )
    norm = float(np.linalg.norm(flat.astype(np.float64)))
    if norm > MAX_NORM:
        raise RefusedError(f"{name} has norm {norm:.3g}, legal is at most {MAX_NORM:.0e}", code="norm-bound")
