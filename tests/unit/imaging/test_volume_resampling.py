"""Resampling along one axis."""

import tracemalloc
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from imaging_cases import Settings
from slice_cases import Box, pictures, write_singles
from volume_cases import items_of, scan

from wardround.imaging.reading.header import quiet
from wardround.imaging.volumes.resampling import along_slices, plane, weights
from wardround.imaging.volumes.volume import read_volume

GAPS = st.lists(st.floats(0.8, 1.2), min_size=2, max_size=40)


@effort(deadline=None)
@given(gaps=GAPS, step=st.floats(0.2, 6.0), start=st.floats(-20.0, 20.0), count=st.integers(1, 30))
def test_a_linear_course_is_kept_and_nothing_is_made_up_beyond_the_samples(
    gaps: list[float], step: float, start: float, count: int
) -> None:
    at = np.concatenate([[0.0], np.cumsum(gaps)])
    out = start + step * np.arange(count)
    shares = weights(out, step, at, 1.0).toarray()
    held = (out >= at[0] - 0.5) & (out <= at[-1] + 0.5)
    np.testing.assert_allclose(shares.sum(axis=1), held, atol=1e-5)
    assert (shares >= 0).all()
    deep = (out - step >= at[0]) & (out + step <= at[-1])
    np.testing.assert_allclose((shares @ at)[deep], out[deep], atol=1e-3)


def test_without_a_change_of_grid_nothing_changes() -> None:
    at = np.arange(7) * 1.5
    np.testing.assert_array_equal(weights(at, 1.5, at, 1.5).toarray(), np.eye(7))


def test_one_sample_is_all_there_is_within_its_own_extent() -> None:
    assert weights(np.array([-2.0, -0.4, 0.4, 2.0]), 1.0, np.array([0.0]), 1.0).toarray().ravel().tolist() == [
        0, 1, 1, 0,
    ]  # fmt: skip


def test_a_missing_pixel_weighs_nothing_and_a_missing_half_is_missing() -> None:
    at = np.arange(8.0)
    halves = weights(np.arange(4) * 2 + 0.5, 2.0, at, 1.0)
    pixels, present = np.full((8, 8), 5.0, np.float32), np.ones((8, 8), bool)
    pixels[0, 0], present[0, 0] = 1e6, False
    pixels[4:], present[4:] = -1e6, False
    reduced = plane(pixels, present, halves, halves)
    np.testing.assert_allclose(reduced[:2], 5, rtol=1e-5)
    assert np.isnan(reduced[2:]).all()
    stack = np.repeat(reduced[np.newaxis], 8, axis=0)
    np.testing.assert_allclose(along_slices(stack, halves)[:, :2], 5, rtol=1e-5)


def test_a_volume_is_never_in_memory_at_full_size(tmp_path: Path, settings: Settings) -> None:
    box = Box((256, 256), along=tuple(range(48)), spacing=(1.0, 1.0))
    folder = write_singles(tmp_path / "a", pictures(lambda points: points[..., 0], box))
    chosen = settings(size=(8, 16, 16), modality=("MR",))
    (item,), _ = items_of(scan(folder, chosen), chosen)
    assert item.layout is not None
    tracemalloc.start()
    with quiet():
        read_volume([folder / path for path in item.paths], item.layout, chosen)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 48 * 256 * 256 * 4 / 3
