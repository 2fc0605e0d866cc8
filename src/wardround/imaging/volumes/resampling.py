"""Resampling along one axis at a time, from samples at any distances to a regular grid, with antialiasing.

Pixels that hold nothing (padding, beyond the edge) weigh nothing.
"""

import numpy as np
from scipy.sparse import csr_array

# Points at which the samples are looked up per distance of two samples, where an output covers several.
_POINTS = 4
# An output of which less than this share is covered holds nothing.
_COVERED = 0.5


def weights(out: np.ndarray, out_step: float, at: np.ndarray, step: float) -> csr_array:
    """The share of each sample in each output, float32 [outputs, samples]; none for outputs beyond the samples.

    `out` and `at` are positions in mm, `at` ascending; the steps are their usual distances. An output is the
    mean of values interpolated linearly between samples, taken symmetrically around it with the weights of a
    triangle: so a linear course of values is kept exactly. The triangle is as wide as makes the whole filter
    as wide (in variance) as linear interpolation on the output's grid; without a reduction it is a point.
    """
    offsets, heights = _triangle(float(np.sqrt(max(out_step**2 - step**2, 0))), step)
    points = (out[:, np.newaxis] + offsets).clip(at[0], at[-1])
    left = np.clip(np.searchsorted(at, points, side="right") - 1, 0, max(len(at) - 2, 0))
    right = np.minimum(left + 1, len(at) - 1)
    part = (points - at[left]) / np.where(left < right, at[right] - at[left], 1)
    inside = (out >= at[0] - step / 2) & (out <= at[-1] + step / 2)
    share = np.stack([heights * (1 - part), heights * part]) * inside[:, np.newaxis]
    rows = np.broadcast_to(np.arange(len(out))[:, np.newaxis], share.shape)
    entries = (share.ravel(), (rows.ravel(), np.stack([left, right]).ravel()))
    matrix = csr_array(entries, shape=(len(out), len(at)), dtype=np.float32)
    matrix.eliminate_zeros()
    return matrix


def plane(pixels: np.ndarray, present: np.ndarray, rows: csr_array, columns: csr_array) -> np.ndarray:
    """A slice, float32 [R, C], as [H, W] by the weights of its rows [H, R] and columns [W, C].

    `present`, bool [R, C]: pixels that hold something; outputs that are mostly of others are NaN.
    """

    def weighted(values: np.ndarray) -> np.ndarray:
        flipped: np.ndarray = columns @ np.ascontiguousarray((rows @ values).T)
        return flipped.T

    if present.all():
        return _covered(weighted(pixels), np.outer(rows.sum(axis=1), columns.sum(axis=1)))
    return _covered(weighted(np.where(present, pixels, np.float32(0))), weighted(present.astype(np.float32)))


def along_slices(planes: np.ndarray, slices: csr_array) -> np.ndarray:
    """Planes [n, H, W], NaN where they hold nothing, as [D, H, W] by the weights of slices [D, n]."""
    result = np.empty((slices.shape[0], *planes.shape[1:]), np.float32)
    # A row at a time needs little memory.
    for row in range(planes.shape[1]):
        values = planes[:, row]
        present = ~np.isnan(values)
        total = slices @ np.where(present, values, np.float32(0))
        result[:, row] = _covered(total, slices @ present.astype(np.float32))
    return result


def _covered(total: np.ndarray, cover: np.ndarray) -> np.ndarray:
    return np.where(cover > _COVERED, total / np.maximum(cover, _COVERED), np.float32(np.nan))


def _triangle(half: float, step: float) -> tuple[np.ndarray, np.ndarray]:
    count = int(np.ceil(_POINTS * half / step))
    offsets = np.arange(-count, count + 1) / (count + 1)
    heights = 1 - np.abs(offsets)
    return offsets * half, heights / heights.sum()
