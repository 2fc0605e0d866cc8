"""The geometry of a series: which slice lies where, and which way up the volume is kept.

Coordinates are the patient's (PS3.3 C.7.6.2): x to the left, y to the back, z to the head.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from wardround.imaging.reasons import Reason, Refusal

Spacing = tuple[float, float]

# Cosines written with few decimals differ by less, real orientations by more.
_SAME_DIRECTION = 1e-3
_SAME_PLACE = 1e-3
# A missing slice doubles the distance; real series vary by less than half.
_GAP = 1.5


@dataclass(frozen=True)
class Place:
    """Where a slice lies: shape (rows, columns); orientation [6] and position [3] (mm) or None; its number."""

    shape: tuple[int, int]
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    number: int | None


def place_of(header: Dataset) -> Place:
    """Reads a slice's place from its header."""
    number = header.get("InstanceNumber")
    return Place(
        shape=(int(header.Rows), int(header.Columns)),
        orientation=_numbers(header.get("ImageOrientationPatient"), 6),
        position=_numbers(header.get("ImagePositionPatient"), 3),
        number=None if number is None else int(number),
    )


def slice_order(places: Sequence[Place], min_slices: int) -> list[int]:
    """Indices of the slices from one end to the other.

    Sorted by the position projected on the normal of the slices; by instance number only if a slice has no
    position. Raises Refusal if the slices are too few, differ in size or orientation, share a place, or leave
    a gap.
    """
    if len(places) < min_slices:
        raise Refusal(Reason.TOO_FEW_SLICES)
    if len({place.shape for place in places}) > 1:
        raise Refusal(Reason.MIXED_SIZE)
    if all(place.orientation and place.position for place in places):
        return _order_by_position(places)
    return _order_by_number(places)


def canonical(
    volume: np.ndarray, spacing: Spacing, orientation: Sequence[float]
) -> tuple[np.ndarray, Spacing]:
    """Turns [slices, rows, columns], sorted along the slices' normal, so that every scanner's volumes agree.

    Within the plane as acquired, columns run to the patient's left (to the back in sagittal slices), rows to
    the back (to the feet in sagittal and coronal slices), slices to the left, back or head. Only axes are
    swapped and flipped, so no value changes. Returns the volume and the spacing of its rows and columns.
    """
    along_columns, along_rows = np.asarray(orientation[:3], float), np.asarray(orientation[3:], float)
    directions = [np.cross(along_columns, along_rows), along_rows, along_columns]
    axes = [int(np.argmax(np.abs(direction))) for direction in directions]
    # The columns' axis is the lower one of the two in the plane: x before y before z.
    if axes[1] < axes[2]:
        volume, spacing = volume.swapaxes(1, 2), spacing[::-1]
        directions[1:], axes[1:] = directions[:0:-1], axes[:0:-1]
    wanted = (1, -1 if axes[1] == 2 else 1, 1)
    flips = tuple(
        slice(None, None, -1 if direction[axis] * sign < 0 else 1)
        for direction, axis, sign in zip(directions, axes, wanted, strict=True)
    )
    return volume[flips], spacing


def _order_by_position(places: Sequence[Place]) -> list[int]:
    orientations = np.array([place.orientation for place in places])
    if np.ptp(orientations, axis=0).max() > _SAME_DIRECTION:
        raise Refusal(Reason.MIXED_ORIENTATION)
    normal = np.cross(orientations[0, :3], orientations[0, 3:])
    distances = np.array([place.position for place in places]) @ normal
    order = np.argsort(distances, kind="stable")
    gaps = np.diff(distances[order])
    if gaps.size and gaps.min() < _SAME_PLACE:
        raise Refusal(Reason.DUPLICATE_POSITION)
    if gaps.size and gaps.max() > _GAP * np.median(gaps):
        raise Refusal(Reason.SLICE_GAP)
    return [int(index) for index in order]


def _order_by_number(places: Sequence[Place]) -> list[int]:
    numbers = [place.number for place in places if place.number is not None]
    if len(numbers) < len(places):
        raise Refusal(Reason.NO_POSITION)
    if len(set(numbers)) < len(numbers):
        raise Refusal(Reason.DUPLICATE_POSITION)
    return sorted(range(len(numbers)), key=numbers.__getitem__)


def _numbers(value: object, count: int) -> tuple[float, ...] | None:
    if not isinstance(value, Sequence) or len(value) != count:
        return None
    numbers = tuple(float(part) for part in value)
    return numbers if np.isfinite(numbers).all() else None
