"""Norms of tensors, exact enough to be compared with a bound."""

import numpy as np

from wardround.plan.data import Array

_CHUNK = 1 << 16  # elements: a float32 sum of so many squares is off by 1e-6 of itself at most


def squares(value: Array) -> float:
    """The sum of the squares of a float tensor: NaN or infinite where an element is, and never by rounding."""
    flat = value.reshape(-1)
    if flat.dtype.itemsize < 4:
        flat = flat.astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        # Dot products find NaN, infinity and size together, without a temporary array.
        total = sum(float(np.dot(part, part)) for part in _chunks(flat))
        if not np.isfinite(total) and np.isfinite(flat).all():  # the squares are too large, not the values
            total = sum(
                float(np.dot(part, part)) for part in (chunk.astype(np.float64) for chunk in _chunks(flat))
            )
    return total


def norm(*values: Array) -> float:
    """The Euclidean norm of float tensors together."""
    return float(np.sqrt(sum(map(squares, values))))


def largest(value: Array) -> int | float:
    """The largest absolute value of a tensor that is not empty; of integers exactly."""
    low, high = value.min().item(), value.max().item()
    return max(abs(low), abs(high))  # Python's own numbers: NumPy's abs of the smallest integer is negative


def _chunks(flat: Array) -> list[Array]:
    return [flat[start : start + _CHUNK] for start in range(0, flat.size, _CHUNK)]
