"""Which slices of a series are one volume, and which volume stands for the series: by what slices say alone."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from wardround.imaging.reasons import Refusal
from wardround.imaging.volumes.grouping import Member, Volume, choose, volumes_of
from wardround.imaging.volumes.layout import LayoutRule, laid_out
from wardround.imaging.volumes.slices import Slice

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
RULE = LayoutRule(min_slices=4, metric=True)


def run(start: int, count: int = 6, first: float = 0.0, gap: float = 3.0, **fields: object) -> list[Member]:
    """Slices a gap apart with instance numbers from `start`."""
    made = []
    for index in range(count):
        place = {"orientation": AXIAL, "position": (0.0, 0.0, first + gap * index), "spacing": (1.0, 1.0)}
        part = Slice.model_validate({"shape": (8, 8), "number": start + index, **place, **fields})
        made.append(Member(f"{start + index}.dcm", f"{start + index:04x}", part))
    return made


def numbers(volume: Volume) -> list[int]:
    return sorted(member.slice.number or 0 for member in volume)


def chosen(members: list[Member], min_slices: int = 4) -> list[int]:
    volumes = volumes_of(members)
    return numbers(volumes[choose(volumes, min_slices)])


@pytest.mark.parametrize(
    "fields",
    [
        {"echo": 80.0},
        {"b_value": 1000.0},
        {"family": "other"},
        {"kind": "derived"},
        {"shape": (8, 9)},
        {"spacing": (1.0, 1.1)},
        {"orientation": (1.0, 0.0, 0.0, 0.0, 0.99, 0.141)},
        {"time": 2.0},
        {"acquisition": 2.0},
        {"trigger": 400.0},
        {},
    ],
)
def test_what_is_repeated_in_the_same_places_is_two_volumes(fields: dict[str, object]) -> None:
    first = {"echo": 20.0, "b_value": 0.0, "time": 1.0, "acquisition": 1.0, "trigger": 0.0}
    members = run(1, **first) + run(7, **{**first, **fields})
    assert sorted(map(numbers, volumes_of(members))) == [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]]
    assert chosen(members) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("field", ["acquisition", "time", "trigger"])
def test_several_acquisitions_side_by_side_are_one_volume(field: str) -> None:
    # A CT whose couch moves on after each acquisition, and an MR whose odd slices were taken first.
    onward = run(1, 4, **{field: 1.0}) + run(5, 4, first=12.0, **{field: 2.0})
    interleaved = run(1, 4, gap=6.0, **{field: 1.0}) + run(5, 4, first=3.0, gap=6.0, **{field: 2.0})
    assert len(volumes_of(onward)) == len(volumes_of(interleaved)) == 1


def test_slices_triggered_one_by_one_are_told_apart_by_their_numbers() -> None:
    members = [
        member._replace(slice=member.slice.model_copy(update={"trigger": 13.0 * member.slice.number}))
        for member in run(1) + run(7)
    ]
    assert sorted(map(numbers, volumes_of(members))) == [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]]


def test_a_slice_too_many_is_not_given_to_anyone() -> None:
    assert [numbers(volume) for volume in volumes_of([*run(1), *run(9, 1, first=6.0)])] == [
        [1, 2, 3, 4, 5, 6, 9]
    ]


def test_the_contrast_is_chosen_before_the_number_of_slices() -> None:
    # One more slice of a later echo must not change which contrast this patient's volume shows.
    assert chosen(run(1, 7, echo=80.0) + run(8, 6, echo=20.0)) == [8, 9, 10, 11, 12, 13]
    assert chosen(run(1, 7, b_value=800.0) + run(8, 6, b_value=0.0)) == [8, 9, 10, 11, 12, 13]


def test_a_side_product_is_not_chosen_whatever_its_echo() -> None:
    assert chosen(run(1, 4, echo=1.0) + run(5, 12, echo=20.0)) == list(range(5, 17))


def test_a_complete_acquisition_goes_before_an_aborted_one() -> None:
    assert chosen(run(1, 4, acquisition=1.0) + run(5, 6, acquisition=2.0)) == [5, 6, 7, 8, 9, 10]


def test_plain_images_go_before_derived_and_phase_images() -> None:
    members = (
        run(1, 8, kind="part") + run(9, 8, kind="derived") + run(17, 6) + run(23, 5, orientation=SAGITTAL)
    )
    assert chosen(members) == [17, 18, 19, 20, 21, 22]


def test_a_single_stray_image_does_not_stand_for_a_derived_series() -> None:
    assert chosen(run(1, 1) + run(2, 8, kind="derived")) == list(range(2, 10))


@pytest.mark.parametrize(
    ("kind", "reason"), [("localizer", "series-localizer-only"), ("mosaic", "series-mosaic")]
)
def test_localizers_and_mosaics_never_stand_for_a_series(kind: str, reason: str) -> None:
    assert chosen(run(1, 30, kind=kind) + run(31, 6)) == list(range(31, 37))
    with pytest.raises(Refusal, match=reason):
        chosen(run(1, kind=kind))


@effort(deadline=None)
@given(
    st.permutations(
        run(1, echo=20.0, time=1.0)
        + run(7, echo=20.0, time=2.0)
        + run(13, echo=20.03, acquisition=4.0, family="x")
        + run(19, 3, orientation=SAGITTAL)
        + run(22, kind="derived")
        + run(28, 5, echo=80.0)
        + run(33, echo=80.0)
    )
)
def test_nothing_depends_on_the_order_of_files(members: list[Member]) -> None:
    volumes = volumes_of(members)
    assert sorted(map(numbers, volumes)) == sorted(map(numbers, volumes_of(sorted(members))))
    assert chosen(members) == [1, 2, 3, 4, 5, 6]
    assert laid_out(volumes[choose(volumes, 4)], RULE) == laid_out(tuple(run(1, echo=20.0, time=1.0)), RULE)


def why(positions: list[float], **fields: object) -> str:
    members = tuple(
        member._replace(slice=member.slice.model_copy(update={"position": (0.0, 0.0, place)}))
        for member, place in zip(run(1, len(positions), **fields), positions, strict=True)
    )
    with pytest.raises(Refusal) as refused:
        laid_out(members, RULE)
    return refused.value.code


@pytest.mark.parametrize(
    ("positions", "reason"),
    [
        ([0, 3, 6, 12, 15], "series-slice-missing"),
        ([0, 3, 6, 9, 12, 24, 27], "series-slice-missing"),
        ([0, 3, 6, 11, 14], "series-unevenly-spaced"),
        ([0, 1, 3, 4, 6, 7, 9], "series-unevenly-spaced"),
        ([0, 3, 3, 3, 3], "series-too-few-slices"),
    ],
)
def test_gaps_and_uneven_distances_are_told_apart(positions: list[float], reason: str) -> None:
    assert why(positions) == reason


@effort(deadline=None)
@given(st.lists(st.floats(2.7, 3.3), min_size=3, max_size=30))
def test_distances_that_vary_a_little_are_kept_as_they_are(gaps: list[float]) -> None:
    along = np.concatenate([[0.0], np.cumsum(gaps)])
    members = tuple(
        member._replace(slice=member.slice.model_copy(update={"position": (5.0, 5.0, float(place))}))
        for member, place in zip(run(1, len(along)), along, strict=True)
    )
    np.testing.assert_allclose(laid_out(members, RULE)[1].along, along)


def displaced(shifts: list[float]) -> tuple[Member, ...]:
    return tuple(
        member._replace(
            slice=member.slice.model_copy(update={"position": (0.0, shift, member.slice.position[2])})
        )
        for member, shift in zip(run(1, len(shifts)), shifts, strict=True)
    )


def test_slices_displaced_along_a_line_are_a_tilted_gantry_and_others_are_refused() -> None:
    _, layout = laid_out(displaced([0, 1, 2, 3, 4]), RULE)
    assert [down for down, _ in layout.shifts] == [0, 1, 2, 3, 4]
    for shifts in ([0, 1, 5, 3, 4], [0, 10, 20, 30, 40]):
        with pytest.raises(Refusal, match="series-slices-displaced"):
            laid_out(displaced(shifts), RULE)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"spacing": None}, "series-without-spacing"),
        ({"position": None}, "series-without-positions"),
        ({"orientation": None}, "series-without-positions"),
    ],
)
def test_a_spacing_in_mm_needs_slices_that_say_where_they_lie(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        laid_out(tuple(run(1, **fields)), RULE)


def test_one_slice_without_a_position_is_not_placed_by_guess() -> None:
    first, *others = run(1)
    lost = first._replace(slice=first.slice.model_copy(update={"position": None}))
    with pytest.raises(Refusal, match="series-without-positions"):
        laid_out((lost, *others), LayoutRule(4, metric=False))


def test_a_long_series_is_split_at_once() -> None:
    members = [member for time in range(40) for member in run(1 + 60 * time, 60, time=float(time))]
    assert all(len(one) == len(other) == 60 for one, other in pairwise(volumes_of(members)))
