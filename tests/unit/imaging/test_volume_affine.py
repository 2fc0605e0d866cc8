"""Where the voxels of a volume lie in the patient: through turning, resampling, cropping and padding."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from slice_cases import OBLIQUE, Box, pictures, write_singles
from volume_cases import volume_of

from wardround.imaging.settings import IntakeSettings
from wardround.imaging.volumes.volume import Volume

# A window that shows every value of the field, so that [0, 1] can be turned back into values.
LOW, HIGH = -900.0, 900.0
WINDOW = {"WindowCenter": 0, "WindowWidth": HIGH - LOW, "VOILUTFunction": "LINEAR_EXACT"}
SLOPE = np.array([3.0, -5.0, 7.0])

AXES = np.eye(3)
IN_PLANE = [
    tuple(sign * AXES[column]) + tuple(other * AXES[row])
    for column in range(3)
    for row in range(3)
    if row != column
    for sign in (1, -1)
    for other in (1, -1)
]


def field(points: np.ndarray) -> np.ndarray:
    """A value that grows linearly through the patient, so that it tells where a voxel lies."""
    return points @ SLOPE


def chosen(**changes: object) -> IntakeSettings:
    base = {"labels": ("a",), "size": (6, 10, 9), "split_key_file": Path("none"), "modality": ("CT",)}
    return IntakeSettings.model_validate({**base, "workers": 0, "fractions": (1, 0, 0), **changes})


def read(box: Box, settings: IntakeSettings, order: list[int] | None = None) -> Volume:
    with tempfile.TemporaryDirectory() as folder:
        write_singles(Path(folder), pictures(field, box, **WINDOW), "CT", order)
        return volume_of(Path(folder), settings)


def places(volume: Volume) -> np.ndarray:
    """Patient coordinates of every voxel, float64 [D, H, W, 3]."""
    index = np.stack([*np.indices(volume.values.shape), np.ones(volume.values.shape)], axis=-1)
    return (index @ volume.affine.T)[..., :3]


def inside(volume: Volume, box: Box) -> np.ndarray:
    """Which voxels lie so far within the box that nothing from beyond its edge is in them."""
    local = (places(volume) - np.array(box.place)) @ box.directions().T
    local[..., 1:] -= local[..., :1] * np.array(box.slant)
    ends = np.array([box.along[-1], *((side - 1) * step for side, step in zip(box.shape, box.spacing))])
    reach = np.linalg.norm(volume.affine[:3, :3], axis=0).max() * (1 + 1e-6)
    return ((local > reach) & (local < ends - reach)).all(axis=-1)


def assert_in_place(volume: Volume, box: Box, least: int = 20) -> None:
    values = volume.values * (HIGH - LOW) + LOW
    within = inside(volume, box)
    assert within.sum() >= least
    np.testing.assert_allclose(values[within], field(places(volume))[within], atol=0.2)


@pytest.mark.parametrize("spacing", [None, (4.0, 2.0, 2.0), (2.0, 1.0, 1.0)])
@pytest.mark.parametrize("orientation", [IN_PLANE[0], OBLIQUE])
def test_a_point_keeps_its_place_in_the_patient(
    orientation: tuple[float, ...], spacing: tuple[float, ...] | None
) -> None:
    box, settings = Box(orientation=orientation), chosen(spacing=spacing)
    volume = read(box, settings)
    assert_in_place(volume, box)
    if spacing:
        np.testing.assert_allclose(np.linalg.norm(volume.affine[:3, :3], axis=0), spacing)


@effort(max_examples=40, deadline=None)
@given(
    orientation=st.sampled_from([*IN_PLANE, OBLIQUE]),
    place=st.tuples(*[st.floats(-40, 40)] * 3),
    gaps=st.lists(st.floats(2.2, 2.8), min_size=6, max_size=9),
    spacing=st.none() | st.tuples(*[st.floats(1.0, 3.0)] * 3),
    data=st.data(),
)
def test_every_scanner_and_grid_agree_on_places(
    orientation: tuple[float, ...],
    place: tuple[float, float, float],
    gaps: list[float],
    spacing: tuple[float, float, float] | None,
    data: st.DataObject,
) -> None:
    box = Box((16, 18), orientation, place, tuple(np.cumsum(gaps)), (1.6, 1.3))
    settings = chosen(spacing=spacing, size=(12, 24, 24))
    volume = read(box, settings, data.draw(st.permutations(range(len(gaps)))))
    first = replace(
        box, place=tuple(box.corner(box.along[0])), along=tuple(np.subtract(box.along, box.along[0]))
    )
    assert_in_place(volume, first, least=1)


@effort(max_examples=20, deadline=None)
@given(plane=st.sampled_from(range(3)), data=st.data())
def test_however_a_volume_is_stored_its_canonical_form_is_the_same(plane: int, data: st.DataObject) -> None:
    # The same cube of points, stored by slices across the same axis: 8 ways to store a slice, any order of files.
    across = [way for way in IN_PLANE if abs(np.cross(way[:3], way[3:])[plane]) == 1]
    middle, side, step = np.array([10.0, -20.0, 30.0]), 8, 2.0
    forms = []
    for way in (across[0], data.draw(st.sampled_from(across))):
        normal = np.cross(way[:3], way[3:])
        corner = middle - (side - 1) / 2 * step * (normal + np.array(way[:3]) + np.array(way[3:]))
        box = Box((side, side), way, tuple(corner), tuple(step * np.arange(side)), (step, step))
        order = data.draw(st.permutations(range(side)))
        forms.append(read(box, chosen(size=(8, 8, 8), spacing=(2, 2, 2)), order))
    np.testing.assert_allclose(forms[0].values, forms[1].values, atol=1e-5)
    np.testing.assert_allclose(forms[0].affine, forms[1].affine, atol=1e-6)


def test_a_tilted_gantry_is_mended_by_shifting_slices() -> None:
    tilt = np.radians(20)
    orientation = (1.0, 0.0, 0.0, 0.0, float(np.cos(tilt)), float(-np.sin(tilt)))
    box = Box((40, 12), orientation, along=tuple(3.0 * np.arange(10)), slant=(float(-np.tan(tilt)), 0.0))
    # The couch moved along the patient.
    moved = box.corner(3.0) - box.corner(0.0)
    np.testing.assert_allclose(moved / np.linalg.norm(moved), [0, 0, 1], atol=1e-9)
    for spacing in (None, (3.0, 1.5, 2.0)):
        settings = chosen(spacing=spacing, size=(10, 40, 12))
        volume = read(box, settings)
        assert_in_place(volume, box)
        # The axes of the result are at right angles, whatever the slices' corners are.
        axes = volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0)
        np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-6)


def test_a_spacing_crops_what_is_beyond_the_size_and_pads_with_nothing() -> None:
    box = Box()
    small = read(box, chosen(size=(4, 4, 4), spacing=(3, 1.5, 2)))
    large = read(box, chosen(size=(12, 20, 20), spacing=(3, 1.5, 2)))
    np.testing.assert_allclose(large.values[4:8, 8:12, 8:12], small.values, atol=1e-5)
    held = np.zeros(large.values.shape, bool)
    held[2:10, 3:17, 4:16] = True
    assert (large.values[held] > 0).all() and (large.values[~held] == 0).all()
    np.testing.assert_allclose((large.affine @ [4, 8, 8, 1])[:3], small.affine[:3, 3], atol=1e-9)


def test_reducing_a_fine_pattern_leaves_its_mean() -> None:
    # Stripes of one pixel would survive as stripes or vanish by chance without antialiasing.
    def stripes(points: np.ndarray) -> np.ndarray:
        return 400.0 * np.sign(np.sin(np.pi * (points[..., 0] / 0.5 + 0.5)))

    box = Box((64, 64), place=(0.0, 0.0, 0.0), spacing=(0.5, 0.5))
    with tempfile.TemporaryDirectory() as folder:
        write_singles(Path(folder), pictures(stripes, box, **WINDOW), "CT")
        volume = volume_of(Path(folder), chosen(size=(8, 8, 8), spacing=(3, 4, 4)))
    values = volume.values[:, 1:-1, 1:-1] * (HIGH - LOW) + LOW
    assert np.abs(values).max() < 40


def test_slices_without_positions_have_no_affine(tmp_path: Path) -> None:
    slices = [picture.but(ImagePositionPatient=None) for picture in pictures(field, **WINDOW)]
    assert volume_of(write_singles(tmp_path / "a", slices, "CT"), chosen()).affine is None
