"""A stack's pixels on the recipe's grid, and where in the patient they lie."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from wardround.imaging.gate import GATE_TAGS, ItemGate
from wardround.imaging.reading.files import Openable
from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.volumes import resampling
from wardround.imaging.volumes.grid import Grid, Samples, canonical_turn, fitted, samples_of, spaced, turned
from wardround.imaging.volumes.grouping import places_of
from wardround.imaging.volumes.intensity import Look, shown
from wardround.imaging.volumes.layout import Layout
from wardround.imaging.volumes.reading import read_slices


@dataclass(frozen=True)
class Volume:
    """values: float32 [slices, rows, columns]. affine: float64 [4, 4], from a voxel's index (slice, row, column, 1)
    to its place in the patient (x, y, z, 1) in mm, or None where the slices do not say."""

    values: np.ndarray
    affine: np.ndarray | None


def read_volume(
    paths: Sequence[Openable], layout: Layout, settings: IntakeSettings, gate: ItemGate | None = None
) -> Volume:
    """Reads a stack that passes the gate onto a grid of `settings.size`, in [0, 1].

    With `settings.spacing` the voxels have that spacing and lie around the middle of the stack: what is beyond the
    size is cropped, what is beyond the stack is 0. Without it the whole stack is fitted into the size. One
    file is in memory at a time, beside the slices already reduced, which may take `settings.max_bytes`.
    Raises Refusal.
    """
    acquired = samples_of(layout)
    turn = canonical_turn(acquired)
    samples = turned(acquired, turn)
    size, spacing = settings.size, settings.spacing
    grid = spaced(samples, size, spacing) if spacing else fitted(samples, size)
    target, look = _Target(samples, grid, settings.max_bytes), Look()
    places = places_of(np.array(layout.along))
    slices = read_slices(paths, layout, settings.max_bytes, GATE_TAGS if gate else ())
    for member, grey in gate.slices(slices) if gate else slices:
        look.note(grey)
        place = int(places[member])
        target.put(
            len(samples.along) - 1 - place if turn.flips[0] else place,
            turn.plane(grey.values),
            turn.plane(grey.valid),
        )
    return Volume(shown(target.volume(), look, hounsfield=layout.hounsfield), grid.affine(samples))


class _Target:
    """Slices reduced to the grid's rows and columns as they come, and to its depth when all are there."""

    def __init__(self, samples: Samples, grid: Grid, max_bytes: int) -> None:
        shape = (len(samples.along), *grid.size[1:])
        if int(np.prod(shape)) * np.dtype(np.float32).itemsize > max_bytes:
            raise Refusal(Reason.TOO_LARGE)
        self.samples, self.grid = samples, grid
        self.planes = np.empty(shape, np.float32)
        self.filled: set[int] = set()
        self.known: dict[tuple[int, float], csr_array] = {}

    def put(self, place: int, values: np.ndarray, valid: np.ndarray) -> None:
        """Takes a slice, float32, and which of its pixels are not padding; one in a place taken has to be a copy."""
        rows, columns = (self._weights(axis, float(self.samples.shifts[place, axis - 1])) for axis in (1, 2))
        reduced = resampling.plane(values, valid, rows, columns)
        if place in self.filled and not np.array_equal(self.planes[place], reduced, equal_nan=True):
            raise Refusal(Reason.DUPLICATE_POSITION)
        self.planes[place] = reduced
        self.filled.add(place)

    def volume(self) -> np.ndarray:
        """The slices on the whole grid, float32 with NaN where there is nothing."""
        samples, grid = self.samples, self.grid
        slices = resampling.weights(grid.at(0), float(grid.step[0]), samples.along, samples.step)
        return resampling.along_slices(self.planes, slices)

    def _weights(self, axis: int, shift: float) -> csr_array:
        # Most slices are not displaced, and then the weights are the same for all.
        key = (axis, round(shift, 3))
        if key not in self.known:
            spacing = self.samples.spacing[axis - 1]
            at = shift + spacing * np.arange(self.samples.shape[axis - 1])
            self.known[key] = resampling.weights(self.grid.at(axis), float(self.grid.step[axis]), at, spacing)
        return self.known[key]
