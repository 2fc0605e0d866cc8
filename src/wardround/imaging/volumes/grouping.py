"""Which slices of a series are one volume, and which of its volumes stands for the series.

A series may hold echoes, b-values, time points, phases, reconstructions, several orientations and a localizer. The
answers depend on the slices alone, never on the order of files.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.volumes.slices import Kind, Slice

# Slices nearer than this (mm) are in the same place.
SAME_PLACE = 0.01
# Numbers that a scanner writes slightly differently from slice to slice; real differences are larger.
_SAME_ECHO = 0.05
_SAME_B_VALUE = 0.5
_SAME_DIRECTION = 1e-3
_SAME_SPACING = 1e-3
_RANKS: dict[Kind, int] = {"plain": 0, "derived": 1, "part": 2, "localizer": 3, "mosaic": 4}
# A diffusion series has some dozens of contrasts. Each slice is compared with all of them, here and not in a process
# with limits.
MOST_KINDS = 500
# Less than this share of the largest volume's slices: a side product.
_SIDE_PRODUCT = 0.5


class Member(NamedTuple):
    """A slice, the path of its file relative to the source, and the keyed hash of its instance."""

    path: str
    instance: str
    slice: Slice


Volume = tuple[Member, ...]


def in_order(members: Iterable[Member]) -> list[Member]:
    """Sorted by instance number and frame; equal numbers by keyed hash, so that the result is always the same."""
    return sorted(members, key=lambda member: (*_order(member), member.instance))


def volumes_of(members: Iterable[Member]) -> list[Volume]:
    """Splits a series.

    Slices that differ in size, spacing, orientation, kind, family, echo or b-value are never one volume. Time
    point, acquisition and trigger time separate only slices in the same place: elsewhere one volume may well be
    made of several acquisitions, or each of its slices be triggered at a time of its own. Raises Refusal for more than
    MOST_KINDS that differ.
    """
    return [volume for group in _alike(in_order(members)) for volume in _apart(group)]


def choose(volumes: Sequence[Volume], min_slices: int) -> int:
    """The place of the volume that stands for its series.

    Localizers and mosaics never do, volumes of fewer than `min_slices` slices only if there is no other. The kind
    goes first (plain, derived, phase or complex part); volumes with less than half of the slices of the largest
    are left out; then the lowest echo time, b-value and time point, the most slices, the lowest acquisition and
    instance number. So the contrast is chosen before anything that may be damaged: another patient's series
    gives the same one. Raises Refusal if the series holds nothing but localizers or mosaics.
    """
    usable = {place: volume for place, volume in enumerate(volumes) if _rank(volume) < _RANKS["localizer"]}
    if not usable:
        mosaic = any(_rank(volume) == _RANKS["mosaic"] for volume in volumes)
        raise Refusal(Reason.MOSAIC if mosaic else Reason.LOCALIZER)
    usable = {place: volume for place, volume in usable.items() if len(volume) >= min_slices} or usable
    best = min(map(_rank, usable.values()))
    usable = {place: volume for place, volume in usable.items() if _rank(volume) == best}
    largest = max(map(len, usable.values()))
    return min(
        (place for place, volume in usable.items() if len(volume) >= _SIDE_PRODUCT * largest),
        key=lambda place: _preference(usable[place]),
    )


def distances(volume: Sequence[Member]) -> np.ndarray | None:
    """Where slices lie along the normal of the first (mm, float64 [n]), or None if one of them has no place."""
    orientation = volume[0].slice.orientation
    positions = [member.slice.position for member in volume]
    if orientation is None or any(position is None for position in positions):
        return None
    along: np.ndarray = np.array(positions, float) @ np.cross(orientation[:3], orientation[3:])
    return along


def places_of(along: np.ndarray) -> np.ndarray:
    """Numbers slices by place, int [n] from 0 along the normal; slices in the same place have the same number."""
    order = np.argsort(along, kind="stable")
    places = np.empty(len(along), int)
    places[order] = np.concatenate([[0], np.cumsum(np.diff(along[order]) > SAME_PLACE)])
    return places


def _alike(members: Sequence[Member]) -> list[Volume]:
    groups: dict[tuple[object, ...], list[Member]] = defaultdict(list)
    known: dict[tuple[object, ...], tuple[object, ...]] = {}
    for member in members:
        exact = _exact(member.slice)
        if exact not in known:
            near = (name for name, group in groups.items() if _same(group[0].slice, member.slice))
            known[exact] = next(near, exact)
        groups[known[exact]].append(member)
        if len(groups) > MOST_KINDS:
            raise Refusal(Reason.TOO_MANY)
    return [tuple(group) for group in groups.values()]


def _exact(slice: Slice) -> tuple[object, ...]:
    return (slice.kind, slice.family, slice.shape, slice.hounsfield, slice.echo, slice.b_value,
            slice.spacing, slice.orientation)  # fmt: skip


def _same(one: Slice, other: Slice) -> bool:
    return (
        _is_near(one.echo, other.echo, _SAME_ECHO)
        and _is_near(one.b_value, other.b_value, _SAME_B_VALUE)
        and _exact(one)[:4] == _exact(other)[:4]
        and _near(one.spacing or (None,), other.spacing or (None,), _SAME_SPACING)
        and _near(one.orientation or (None,), other.orientation or (None,), _SAME_DIRECTION)
    )


def _near(one: Sequence[float | None], other: Sequence[float | None], tolerance: float) -> bool:
    return len(one) == len(other) and all(_is_near(a, b, tolerance) for a, b in zip(one, other, strict=True))


def _is_near(one: float | None, other: float | None, tolerance: float) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= tolerance


def _apart(group: Volume) -> list[Volume]:
    along = distances(group)
    if along is None:
        return [group]
    for key in (_time, _acquisition, _trigger):
        copies = Counter(places_of(along).tolist())
        if max(copies.values()) == 1:
            return [group]
        parts = _by(group, key)
        # A key that gives every slice a value of its own does not tell volumes apart.
        if len(parts) > 1 and max(map(len, parts)) >= len(copies) / 2:
            return [volume for part in parts for volume in _apart(part)]
    return _by_turn(group, along)


def _by_turn(group: Volume, along: np.ndarray) -> list[Volume]:
    """Nothing tells the copies of a place apart but their numbers: the first of each place, the second, …"""
    seen: Counter[int] = Counter()
    turns: dict[int, list[Member]] = defaultdict(list)
    for member, place in zip(group, places_of(along).tolist(), strict=True):
        turns[seen[place]].append(member)
        seen[place] += 1
    # With unequal counts a slice is missing or surplus, and nobody can say which.
    return [tuple(turn) for turn in turns.values()] if len(set(seen.values())) == 1 else [group]


def _by(group: Volume, key: Callable[[Slice], float]) -> list[Volume]:
    parts: dict[float, list[Member]] = defaultdict(list)
    for member in group:
        parts[key(member.slice)].append(member)
    return [tuple(parts[value]) for value in sorted(parts)]


def _preference(volume: Volume) -> tuple[object, ...]:
    first = volume[0].slice
    earliest = min(_time(member.slice) for member in volume)
    acquisition = min(_acquisition(member.slice) for member in volume)
    return (_low(first.echo), _low(first.b_value), earliest, -len(volume), acquisition,
            *_order(volume[0]), volume[0].instance)  # fmt: skip


def _rank(volume: Volume) -> int:
    return _RANKS[volume[0].slice.kind]


def _order(member: Member) -> tuple[float, float]:
    return _low(member.slice.number), _low(member.slice.frame)


def _time(slice: Slice) -> float:
    return _low(slice.time)


def _acquisition(slice: Slice) -> float:
    return _low(slice.acquisition)


def _trigger(slice: Slice) -> float:
    return _low(slice.trigger)


def _low(value: float | None) -> float:
    return -np.inf if value is None else value
