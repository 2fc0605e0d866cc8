"""One grey scale for all slices of a volume."""

from pathlib import Path

import numpy as np
import pytest
from imaging_cases import Settings
from slice_cases import Box, pictures, write_singles
from volume_cases import volume_of

from wardround.imaging.reasons import Refusal
from wardround.imaging.volumes.intensity import Look, shown

BOX = Box(spacing=(2.0, 2.0))
SIZE = (8, 14, 12)
LOW, HIGH = -300.0, 500.0
WINDOW = {"WindowCenter": 100, "WindowWidth": 800, "VOILUTFunction": "LINEAR_EXACT"}


def ramp(points: np.ndarray) -> np.ndarray:
    return 20 * points[..., 2] + points[..., 0]


def read(folder: Path, settings: Settings, modality: str = "CT", changes: object = None, **elements: object):
    slices = pictures(ramp, BOX, **elements)
    if changes:
        slices[3] = slices[3].but(**changes)
    return volume_of(
        write_singles(folder, slices, modality), settings(size=SIZE, modality=(modality,))
    ).values


def expected(low: float, high: float) -> np.ndarray:
    return np.stack([np.clip((ramp(BOX.centres(along)) - low) / (high - low), 0, 1) for along in BOX.along])


def test_a_ct_is_shown_in_the_window_of_its_slices(tmp_path: Path, settings: Settings) -> None:
    np.testing.assert_allclose(read(tmp_path / "a", settings, **WINDOW), expected(LOW, HIGH), atol=1e-3)


def test_a_ct_whose_slices_have_windows_of_their_own_is_shown_in_hounsfield_units(
    tmp_path: Path, settings: Settings
) -> None:
    several = read(tmp_path / "a", settings, changes={"WindowCenter": 40}, **WINDOW)
    np.testing.assert_allclose(several, expected(-1000, 1000), atol=1e-3)
    np.testing.assert_allclose(read(tmp_path / "b", settings), expected(-1000, 1000), atol=1e-3)


def test_a_slope_of_its_own_changes_no_slice(tmp_path: Path, settings: Settings) -> None:
    slices = pictures(ramp, BOX, **WINDOW)
    stored = (slices[3].stored // 2).astype(np.uint16)
    slices[3] = type(slices[3])(stored, {**slices[3].elements, "RescaleSlope": 0.125})
    folder = write_singles(tmp_path / "a", slices, "CT")
    values = volume_of(folder, settings(size=SIZE, modality=("CT",))).values
    np.testing.assert_allclose(values, expected(LOW, HIGH), atol=1e-3)


def test_values_that_are_not_hounsfield_units_are_stretched(tmp_path: Path, settings: Settings) -> None:
    other = read(tmp_path / "a", settings, RescaleType="US")
    low, high = np.percentile(np.stack([ramp(BOX.centres(along)) for along in BOX.along]), (0.1, 99.9))
    np.testing.assert_allclose(other, expected(low, high), atol=2e-3)


def test_an_mr_is_stretched_over_the_whole_volume_whatever_its_windows_say(
    tmp_path: Path, settings: Settings
) -> None:
    without = read(tmp_path / "a", settings, "MR")
    np.testing.assert_array_equal(read(tmp_path / "b", settings, "MR", **WINDOW), without)
    # Brighter from slice to slice: no slice is stretched by itself.
    assert (np.diff(without[:, 7, 6]) > 0).all() and without[0].max() < 0.2 < 0.8 < without[-1].min()


def test_a_lesion_of_three_thousandths_of_an_mr_keeps_its_contrast() -> None:
    values = np.random.default_rng(0).normal(100, 10, (20, 64, 64)).astype(np.float32)
    values[5:9, 10:20, 10:16] = np.linspace(200, 300, 240).reshape(4, 10, 6)
    lesion = shown(values, Look(), hounsfield=False)[5:9, 10:20, 10:16]
    assert (lesion < 1).mean() > 0.6 and lesion.min() > 0.5


def test_padding_is_black_and_weighs_nothing(tmp_path: Path, settings: Settings) -> None:
    slices = pictures(ramp, BOX, PixelPaddingValue=65535, **WINDOW)
    for picture in slices:
        picture.stored[:4] = 65535
    folder = write_singles(tmp_path / "a", slices, "CT")
    values = volume_of(folder, settings(size=SIZE, modality=("CT",))).values
    assert (values[:, :4] == 0).all()
    np.testing.assert_allclose(values[:, 4:], expected(LOW, HIGH)[:, 4:], atol=1e-3)


def test_a_volume_without_contrast_is_refused(tmp_path: Path, settings: Settings) -> None:
    folder = write_singles(tmp_path / "a", pictures(lambda points: 0 * points[..., 0], BOX))
    with pytest.raises(Refusal, match="blank"):
        volume_of(folder, settings(size=SIZE, modality=("MR",)))
