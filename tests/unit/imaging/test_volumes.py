"""Series become volumes: sorted, turned the same way, and refused where a slice does not fit."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from imaging_cases import Label, Settings, WriteSeries, change
from volume_cases import decoded, items_of, reasons, refusal, scan

from wardround.imaging.intake import preprocess
from wardround.imaging.reasons import Reason, Refusal

SHAPE = (6, 20, 20)


def body() -> np.ndarray:
    """A volume without any symmetry, [slices, rows, columns]."""
    z, y, x = np.indices(SHAPE)
    return (100 + 300 * z + 40 * y + 10 * x * (y > 8)).astype(np.uint16)


def volume(tmp_path: Path, name: str, settings: Settings) -> np.ndarray:
    return decoded(tmp_path / "source" / name, settings(size=SHAPE, modality=("MR",)))


def why(tmp_path: Path, name: str, settings: Settings) -> str:
    return refusal(tmp_path / "source" / name, settings(size=SHAPE, modality=("MR",)))


def test_shuffled_slices_give_the_same_volume(
    tmp_path: Path, write_series: WriteSeries, settings: Settings
) -> None:
    write_series("straight", body())
    write_series("shuffled", body(), order=[3, 0, 5, 1, 4, 2])
    straight = volume(tmp_path, "straight", settings)
    np.testing.assert_array_equal(straight, volume(tmp_path, "shuffled", settings))
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
    np.testing.assert_array_equal(volume(tmp_path, "usual", settings), volume(tmp_path, "turned", settings))


def test_instance_numbers_stand_in_for_missing_positions(
    tmp_path: Path, write_series: WriteSeries, settings: Settings
) -> None:
    write_series("a", body())
    wanted = volume(tmp_path, "a", settings)
    for path in (tmp_path / "source" / "a").iterdir():
        change(path, ImagePositionPatient=None)
    np.testing.assert_array_equal(volume(tmp_path, "a", settings), wanted)


def test_a_series_without_positions_and_numbers_is_refused(
    tmp_path: Path, write_series: WriteSeries, settings: Settings
) -> None:
    write_series("a", body())
    for path in (tmp_path / "source" / "a").iterdir():
        change(path, ImagePositionPatient=None, InstanceNumber=None)
    assert why(tmp_path, "a", settings) == "series-without-positions"


def test_a_missing_slice_is_noticed(tmp_path: Path, write_series: WriteSeries, settings: Settings) -> None:
    write_series("a", body(), order=[0, 1, 3, 4, 5])
    assert why(tmp_path, "a", settings) == "series-slice-missing"


def test_too_few_slices_are_refused(tmp_path: Path, write_series: WriteSeries, settings: Settings) -> None:
    write_series("a", body()[:3])
    assert why(tmp_path, "a", settings) == "series-too-few-slices"


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "series-slice-missing"),
        ({"ImagePositionPatient": [0, 0, 10]}, "series-slice-missing"),
        ({"Rows": 10, "Columns": 40}, "series-slice-missing"),
        ({"ImagePositionPatient": [0, 90, 5]}, "series-slices-displaced"),
        ({"ImagePositionPatient": None}, "series-without-positions"),
        ({"EchoTime": "1"}, "series-slice-missing"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "series-slice-missing"),
    ],
)
def test_one_slice_that_does_not_fit_spoils_the_series(
    tmp_path: Path, write_series: WriteSeries, settings: Settings, elements: dict[str, object], reason: str
) -> None:
    write_series("a", body())
    change(tmp_path / "source" / "a" / "001.dcm", **elements)
    assert why(tmp_path, "a", settings) == reason


def test_an_odd_slice_at_the_end_is_left_out_and_counted(
    tmp_path: Path, write_series: WriteSeries, settings: Settings
) -> None:
    write_series("a", body())
    folder, chosen = tmp_path / "source" / "a", settings(size=SHAPE, modality=("MR",))
    change(folder / "005.dcm", ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    items, refused = items_of(scan(folder, chosen), chosen)
    assert [len(item.paths) for item in items] == [5]
    assert reasons(refused) == {"series-volume-not-used": 1}


def test_pixels_that_are_not_all_there_are_noticed_when_they_are_read(
    tmp_path: Path, write_series: WriteSeries, settings: Settings
) -> None:
    write_series("a", body())
    path = tmp_path / "source" / "a" / "001.dcm"
    change(path, PixelData=pydicom.dcmread(path).PixelData[:-100])
    with pytest.raises(Refusal, match="truncated"):
        volume(tmp_path, "a", settings)


def test_a_copy_of_a_slice_under_another_name_changes_nothing(
    tmp_path: Path, write_series: WriteSeries, settings: Settings
) -> None:
    write_series("a", body())
    wanted, folder = volume(tmp_path, "a", settings), tmp_path / "source" / "a"
    shutil.copy(folder / "002.dcm", folder / "copy.dcm")
    change(folder / "copy.dcm", SOPInstanceUID="1.2.3.4", InstanceNumber=99)
    np.testing.assert_array_equal(volume(tmp_path, "a", settings), wanted)


def test_two_different_slices_in_one_place_are_refused(
    tmp_path: Path, write_series: WriteSeries, settings: Settings
) -> None:
    write_series("a", body())
    folder = tmp_path / "source" / "a"
    shutil.copy(folder / "002.dcm", folder / "other.dcm")
    stored = pydicom.dcmread(folder / "003.dcm").PixelData
    change(folder / "other.dcm", SOPInstanceUID="1.2.3.4", InstanceNumber=99, PixelData=stored)
    with pytest.raises(Refusal, match="series-duplicate-position"):
        volume(tmp_path, "a", settings)


def test_a_volume_too_large_when_reduced_is_refused_before_it_is_read(
    tmp_path: Path, write_series: WriteSeries, settings: Settings
) -> None:
    write_series("a", body())
    folder = tmp_path / "source" / "a"
    with pytest.raises(Refusal, match="too-large"):
        decoded(folder, settings(size=SHAPE, modality=("MR",), max_bytes=2000))


def test_a_depth_of_more_than_the_slices_stretches_the_volume(
    tmp_path: Path, write_series: WriteSeries, settings: Settings
) -> None:
    write_series("a", body())
    tall = decoded(tmp_path / "source" / "a", settings(size=(20, 20, 20), modality=("MR",)))
    assert tall.shape == (20, 20, 20) and (np.diff(tall[:, 10, 10]) >= 0).all() and tall.min() == 0


def test_every_reason_of_a_series_is_explained_in_the_docs() -> None:
    text = (Path(__file__).parents[3] / "docs" / "volumes.md").read_text()
    explained = set(re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE))
    assert explained == {reason for reason in Reason if reason.startswith(("series-", "frames-"))}


def test_the_intake_counts_what_it_leaves_out_of_a_series(
    tmp_path: Path, write_series: WriteSeries, label: Label, settings: Settings
) -> None:
    names = {write_series(f"s{index}", body() + index, f"P{index}"): "normal" for index in range(3)}
    second = write_series("second", body()[::-1], "P0")
    first = pydicom.dcmread(tmp_path / "source" / "s0" / "000.dcm").SeriesInstanceUID
    for path in (tmp_path / "source" / "second").glob("*.dcm"):
        change(path, SeriesInstanceUID=first, EchoTime=400)
    assert second not in names
    chosen = settings(size=(4, 10, 10), modality=("MR",), fractions=(1, 0, 0), spacing=(5, 2, 2))
    info = preprocess(tmp_path / "source", label(names, "series"), tmp_path / "out", chosen)
    assert info.splits["train"].count == 3 and info.refusals == {"series-volume-not-used": 6}
    assert info.settings["spacing"] == [5, 2, 2]
