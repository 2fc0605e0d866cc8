"""A volume's slices in order, and whether they are all there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.volumes.grouping import Volume, distances, places_of

# How much (share of the usual one) a distance may be off and still be resampled along true positions: positions
# are written in rounded numbers. A missing slice doubles it; two volumes mixed up alternate more.
_LEAST, _MOST = 0.7, 1.3
# How far (share of a whole number) a distance may be from a multiple of the usual one to be called a gap.
_MULTIPLE = 0.1
# Slices may be displaced along a line by as much as they are apart (a gantry tilts by 30 degrees at most).
_SLANT = 1.0
# … and may lie off that line (mm).
_OFF_LINE = 1.0


@dataclass(frozen=True)
class LayoutRule:
    """What a volume has to be: at least `min_slices` long, and `metric` if the recipe gives a spacing in mm."""

    min_slices: int
    metric: bool


def layout_rule(settings: IntakeSettings) -> LayoutRule | None:
    """What an intake's volumes have to be; None where it takes images."""
    return (
        LayoutRule(settings.min_slices, metric=settings.spacing is not None) if settings.is_volume else None
    )


@dataclass(frozen=True)
class Layout:
    """A volume's slices from one end of their common normal to the other, before any pixel is read.

    members: (place in the item's paths, frame or None); several slices in one place stand side by side.
    along: distance of each from the first, along the normal (mm, or counted where slices have no positions).
    shifts: how far each is displaced against the first along rows and columns (down, right; mm).
    origin: position [3] of the first slice's first pixel, None where slices have no positions.
    """

    members: tuple[tuple[int, int | None], ...]
    shape: tuple[int, int]
    spacing: tuple[float, float] | None
    orientation: tuple[float, ...] | None
    origin: tuple[float, ...] | None
    along: tuple[float, ...]
    shifts: tuple[tuple[float, float], ...]
    hounsfield: bool = False


def laid_out(volume: Volume, rule: LayoutRule) -> tuple[tuple[str, ...], Layout]:
    """The paths of a volume's files in the order of its slices, and how they lie.

    Slices are sorted by position along their normal; by instance number only if none has a position. Raises
    Refusal if they are too few, leave a gap, are unevenly spaced or displaced beyond what resampling mends, or
    lack what `rule` asks for. Whether slices in the same place are copies shows when they are read.
    """
    placed = [member.slice.position is not None for member in volume]
    if any(placed) != all(placed) or (rule.metric and not all(placed)):
        raise Refusal(Reason.NO_POSITION)
    if rule.metric and volume[0].slice.spacing is None:
        raise Refusal(Reason.NO_SPACING)
    along = distances(volume)
    if along is None and rule.metric:
        raise Refusal(Reason.NO_POSITION)
    order = _by_number(volume) if along is None else np.argsort(places_of(along), kind="stable")
    ordered = tuple(volume[index] for index in order)
    along = np.arange(len(order), dtype=float) if along is None else along[order] - along[order[0]]
    if places_of(along)[-1] + 1 < rule.min_slices:
        raise Refusal(Reason.TOO_FEW_SLICES)
    _check_gaps(along)
    return _layout(ordered, along)


def first_of_each_place(along: np.ndarray) -> np.ndarray:
    """Indices of the slices that are the first in their place, in order along the normal."""
    first: np.ndarray = np.unique(places_of(along), return_index=True)[1]
    return first


def _layout(ordered: Volume, along: np.ndarray) -> tuple[tuple[str, ...], Layout]:
    paths = tuple(dict.fromkeys(member.path for member in ordered))
    place = {path: index for index, path in enumerate(paths)}
    first, shifts = ordered[0].slice, _shifts(ordered, along)
    return paths, Layout(
        members=tuple((place[member.path], member.slice.frame) for member in ordered),
        shape=first.shape,
        spacing=first.spacing,
        orientation=first.orientation,
        origin=first.position if first.orientation else None,
        along=tuple(along.tolist()),
        shifts=tuple((down, right) for down, right in shifts.tolist()),
        hounsfield=first.hounsfield,
    )


def _by_number(volume: Volume) -> Sequence[int]:
    numbers = [(member.slice.number, member.slice.frame) for member in volume]
    if any(number is None for number, _ in numbers):
        raise Refusal(Reason.NO_POSITION)
    if len(set(numbers)) < len(numbers):
        raise Refusal(Reason.DUPLICATE_POSITION)
    return range(len(volume))


def _check_gaps(along: np.ndarray) -> None:
    gaps = np.diff(along[first_of_each_place(along)])
    if not gaps.size or (gaps.min() >= _LEAST * np.median(gaps) and gaps.max() <= _MOST * np.median(gaps)):
        return
    times = gaps / np.median(gaps)
    whole = np.abs(times - np.maximum(np.rint(times), 1)) <= _MULTIPLE * times
    raise Refusal(Reason.SLICE_GAP if whole.all() else Reason.UNEVEN)


def _shifts(ordered: Volume, along: np.ndarray) -> np.ndarray:
    """Displacements within the plane, float64 [n, 2]; raises Refusal if they are no gantry's tilt.

    A tilted gantry takes slices that are parallel but not behind each other: the couch moves along the patient.
    """
    orientation = ordered[0].slice.orientation
    positions = [member.slice.position for member in ordered]
    if orientation is None or None in positions:
        return np.zeros((len(ordered), 2))
    axes = np.array([orientation[3:], orientation[:3]])
    shifts: np.ndarray = (np.array(positions, float) - np.array(positions[0], float)) @ axes.T
    slant = shifts[-1] / along[-1] if along[-1] > 0 else np.zeros(2)
    off_line = np.abs(shifts - along[:, np.newaxis] * slant).max()
    if off_line > _OFF_LINE or np.linalg.norm(slant) > _SLANT:
        raise Refusal(Reason.DISPLACED)
    return shifts
