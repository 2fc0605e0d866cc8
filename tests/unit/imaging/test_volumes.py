"""Series become volumes: sorted, turned the same way, and refused where a slice does not fit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from imaging_cases import Settings, WriteSeries, change

from wardround.imaging.decode import decode_item
from wardround.imaging.reasons import Refusal

SHAPE = (6, 20, 20)


def body() -> np.ndarray:
    """A volume without any symmetry, [slices, rows, columns]."""
    z, y, x = np.indices(SHAPE)
    return (100 + 300 * z + 40 * y + 10 * x * (y > 8)).astype(np.uint16)


def decode(tmp_path: Path, name: str, settings: Settings) -> np.ndarray:
    paths = sorted((tmp_path / "source" / name).glob("*.dcm"))
    return decode_item(paths, settings(size=SHAPE))[..., 0].astype(int)


def refusal(tmp_path: Path, name: str, settings: Settings) -> str:
    with pytest.raises(Refusal) as refused:
        decode(tmp_path, name, settings)
    return refused.value.code


def test_shuffled_slices_give_the_same_volume(
    tmp_path: Path, write_series: WriteSeries, settings: Settings
) -> None:
    write_series("straight", body())
    write_series("shuffled", body(), order=[3, 0, 5, 1, 4, 2])
    straight = decode(tmp_path, "straight", settings)
    np.testing.assert_array_equal(straight, decode(tmp_path, "shuffled", settings))
    assert (np.diff(straight[:, 10, 10]) > 0).all()


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        ((-1.0, 0, 0, 0, -1, 0), lambda volume: volume[:, ::-1, ::-1]),
        ((1.0, 0, 0, 0, -1, 0), lambda volume: volume[::-1, ::-1]),
        ((0.0, 1, 0, 1, 0, 0), lambda volume: volume[::-1].swapaxes(1, 2)),
    ],
)
def test_scanners_that_store_slices_turned_over_agree(
    tmp_path: Path,
    write_series: WriteSeries,
    settings: Settings,
    orientation: tuple[float, ...],
    stored: Callable[[np.ndarray], np.ndarray],
) -> None:
    write_series("usual", body())
    write_series("turned", stored(body()), orientation=orientation)
    np.testing.assert_array_equal(decode(tmp_path, "usual", settings), decode(tmp_path, "turned", settings))


def test_instance_numbers_stand_in_for_missing_positions(
    tmp_path: Path, write_series: WriteSeries, settings: Settings
) -> None:
    write_series("a", body())
    wanted = decode(tmp_path, "a", settings)
    for path in (tmp_path / "source" / "a").iterdir():
        change(path, ImagePositionPatient=None)
    np.testing.assert_array_equal(decode(tmp_path, "a", settings), wanted)


def test_a_series_without_positions_and_numbers_is_refused(
    tmp_path: Path, write_series: WriteSeries, settings: Settings
) -> None:
    write_series("a", body())
    for path in (tmp_path / "source" / "a").iterdir():
        change(path, ImagePositionPatient=None, InstanceNumber=None)
    assert refusal(tmp_path, "a", settings) == "series-without-positions"


def test_a_missing_slice_is_noticed(tmp_path: Path, write_series: WriteSeries, settings: Settings) -> None:
    write_series("a", body(), order=[0, 1, 3, 4, 5])
    assert refusal(tmp_path, "a", settings) == "series-slice-missing"


def test_too_few_slices_are_refused(tmp_path: Path, write_series: WriteSeries, settings: Settings) -> None:
    write_series("a", body()[:3])
    assert refusal(tmp_path, "a", settings) == "series-too-few-slices"


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "series-mixed-orientation"),
        ({"ImagePositionPatient": [0, 0, 10]}, "series-duplicate-position"),
        ({"Rows": 10, "Columns": 40}, "series-mixed-size"),
        ({"Rows": 40}, "truncated"),
    ],
)
def test_one_slice_that_does_not_fit_spoils_the_series(
    tmp_path: Path, write_series: WriteSeries, settings: Settings, elements: dict[str, object], reason: str
) -> None:
    write_series("a", body())
    change(tmp_path / "source" / "a" / "001.dcm", **elements)
    assert refusal(tmp_path, "a", settings) == reason


def test_a_volume_too_large_in_sum_is_refused(
    tmp_path: Path, write_series: WriteSeries, settings: Settings
) -> None:
    write_series("a", body())
    paths = sorted((tmp_path / "source" / "a").glob("*.dcm"))
    with pytest.raises(Refusal, match="too-large"):
        decode_item(paths, settings(size=SHAPE, max_bytes=2000))
