"""Where the voxels of a stack lie, turned the same way for every scanner, and where those of the result shall lie.

Both are described by samples along three axes that keep the slices' own directions: axes are swapped and flipped
but never rotated, so a volume is resampled one axis at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wardround.imaging.volumes.layout import Layout, first_of_each_place

Size3 = tuple[int, int, int]
Spacing3 = tuple[float, float, float]


@dataclass(frozen=True)
class Turn:
    """How a slice's pixels are turned: rows and columns swapped first, then each of the three axes flipped."""

    swap: bool = False
    flips: tuple[bool, bool, bool] = (False, False, False)

    def plane(self, pixels: np.ndarray) -> np.ndarray:
        """A slice [rows, columns] as it is kept, a view."""
        turned = pixels.T if self.swap else pixels
        return turned[:: -1 if self.flips[1] else 1, :: -1 if self.flips[2] else 1]


@dataclass(frozen=True)
class Samples:
    """A stack's voxels in patient coordinates; axes are slices, rows, columns.

    origin: [3] mm, the first voxel (None if unknown); directions: float64 [3, 3], a unit vector for each axis.
    along: float64 [n], distance of the slices along the first axis; shifts: float64 [n, 2], displacement of
    slices along rows and columns; shape and spacing of a slice. All mm.
    """

    origin: np.ndarray | None
    directions: np.ndarray
    along: np.ndarray
    shifts: np.ndarray
    shape: tuple[int, int]
    spacing: tuple[float, float]

    @property
    def step(self) -> float:
        """The usual distance of two slices."""
        return float(np.median(np.diff(self.along))) if len(self.along) > 1 else max(self.spacing)

    def fields(self) -> np.ndarray:
        """The edges of what the voxels cover, float64 [3, 2]: (low, high) along each axis, from the origin."""
        starts = (self.along, self.shifts[:, 0], self.shifts[:, 1])
        lengths = (0.0, (self.shape[0] - 1) * self.spacing[0], (self.shape[1] - 1) * self.spacing[1])
        halves = (self.step / 2, self.spacing[0] / 2, self.spacing[1] / 2)
        return np.array([
            (start.min() - half, start.max() + length + half)
            for start, length, half in zip(starts, lengths, halves, strict=True)
        ])  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """The result's voxels: along axis i they lie at start[i] + k * step[i] mm from the samples' origin."""

    start: np.ndarray
    step: np.ndarray
    size: Size3

    def at(self, axis: int) -> np.ndarray:
        """Positions along an axis, float64 [size]."""
        positions: np.ndarray = self.start[axis] + self.step[axis] * np.arange(self.size[axis])
        return positions

    def affine(self, samples: Samples) -> np.ndarray | None:
        """From voxel index (slice, row, column, 1) to patient mm (x, y, z, 1), float64 [4, 4]; None if unknown."""
        if samples.origin is None:
            return None
        matrix = np.eye(4)
        matrix[:3, :3] = samples.directions.T * self.step
        matrix[:3, 3] = samples.origin + self.start @ samples.directions
        return matrix


def samples_of(layout: Layout) -> Samples:
    """A stack's voxels as acquired (PS3.3 equation C.7.6.2.1-1), one slice a place; axial without an orientation."""
    distinct = first_of_each_place(np.array(layout.along))
    columns, rows = np.reshape(layout.orientation or (1, 0, 0, 0, 1, 0), (2, 3)).astype(float)
    return Samples(
        origin=None if layout.origin is None else np.array(layout.origin, float),
        directions=np.array([np.cross(columns, rows), rows, columns]),
        along=np.array(layout.along)[distinct],
        shifts=np.array(layout.shifts)[distinct],
        shape=layout.shape,
        spacing=layout.spacing or (1.0, 1.0),
    )


def canonical_turn(samples: Samples) -> Turn:
    """How to turn a stack so that every scanner's volumes agree.

    Within the plane as acquired, columns run to the patient's left (to the back in sagittal slices), rows to
    the back (to the feet in sagittal and coronal slices), slices to the left, back or head.
    """
    axes = [int(np.argmax(np.abs(direction))) for direction in samples.directions]
    directions = list(samples.directions)
    # The columns' axis is the lower one of the two in the plane: x before y before z.
    swap = axes[1] < axes[2]
    if swap:
        axes[1:], directions[1:] = axes[:0:-1], directions[:0:-1]
    wanted = (1, -1 if axes[1] == 2 else 1, 1)
    slices, rows, columns = (
        bool(direction[axis] * sign < 0)
        for direction, axis, sign in zip(directions, axes, wanted, strict=True)
    )
    return Turn(swap, (slices, rows, columns))


def turned(samples: Samples, turn: Turn) -> Samples:
    """The same voxels, indexed as `turn` keeps them."""
    if turn.swap:
        samples = replace(
            samples,
            directions=samples.directions[[0, 2, 1]],
            shifts=samples.shifts[:, ::-1],
            shape=samples.shape[::-1],
            spacing=samples.spacing[::-1],
        )
    for axis in (1, 2):
        samples = _flipped_in_plane(samples, axis) if turn.flips[axis] else samples
    return _reversed(samples) if turn.flips[0] else samples


def fitted(samples: Samples, size: Sequence[int]) -> Grid:
    """The grid that shows the whole volume: planes scaled alike along rows and columns and centred, slices stretched.

    How much of a body a series covers differs between scanners far more than the depth allows for.
    """
    fields = samples.fields()
    lengths = fields[:, 1] - fields[:, 0]
    scale = min(size[1] / lengths[1], size[2] / lengths[2])
    counts = [size[0], *(max(1, min(size[axis], round(lengths[axis] * scale))) for axis in (1, 2))]
    step = lengths / counts
    before = [(wanted - count) // 2 for wanted, count in zip(size, counts, strict=True)]
    return Grid(fields[:, 0] + step * (0.5 - np.array(before)), step, _three(size))


def spaced(samples: Samples, size: Sequence[int], spacing: Spacing3) -> Grid:
    """The grid of that spacing (mm) around the middle of the volume: more is cropped away, less is padded."""
    step = np.array(spacing, float)
    return Grid(samples.fields().mean(axis=1) - step * (np.array(size) - 1) / 2, step, _three(size))


def _three(size: Sequence[int]) -> Size3:
    depth, height, width = size
    return depth, height, width


def _flipped_in_plane(samples: Samples, axis: int) -> Samples:
    length = (samples.shape[axis - 1] - 1) * samples.spacing[axis - 1]
    directions, shifts = samples.directions.copy(), samples.shifts.copy()
    directions[axis], shifts[:, axis - 1] = -directions[axis], -shifts[:, axis - 1]
    return replace(
        samples, origin=_moved(samples, axis, length), directions=directions, shifts=shifts
    )  # fmt: skip


def _reversed(samples: Samples) -> Samples:
    directions = samples.directions.copy()
    origin = _moved(samples, 0, samples.along[-1])
    if origin is not None:
        origin = origin + samples.shifts[-1] @ samples.directions[1:]
    directions[0] = -directions[0]
    along, shifts = samples.along[-1] - samples.along[::-1], samples.shifts[::-1] - samples.shifts[-1]
    return replace(samples, origin=origin, directions=directions, along=along, shifts=shifts)


def _moved(samples: Samples, axis: int, length: float) -> np.ndarray | None:
    return None if samples.origin is None else samples.origin + length * samples.directions[axis]
