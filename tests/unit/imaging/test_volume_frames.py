"""Enhanced multi-frame objects give the volumes of their single-frame twins."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from imaging_cases import Settings, change
from slice_cases import OBLIQUE, Box, Picture, pictures, write_enhanced, write_singles
from volume_cases import items_of, reasons, refusal, scan, volume_of

BOX = Box(orientation=OBLIQUE)
SIZE = (6, 10, 9)


def hill(points: np.ndarray) -> np.ndarray:
    """A field without any symmetry."""
    return 300 * np.exp(-(((points - [-20.0, 28.0, 14.0]) / [9.0, 12.0, 8.0]) ** 2).sum(axis=-1))


def rescaled(slices: list[Picture]) -> list[Picture]:
    """The same values, stored with another slope in every slice."""
    made = []
    for place, picture in enumerate(slices):
        slope = 0.125 * (1 + place % 3)
        values = picture.stored * 0.0625
        made.append(
            Picture(np.rint(values / slope).astype(np.uint16), picture.elements).but(RescaleSlope=slope)
        )
    return made


def several() -> list[Picture]:
    """What a scanner may put into one object: two echoes, a phase image, a stack across, interleaved."""
    usual = {"StackID": "1", "ImageType": ["ORIGINAL", "PRIMARY", "M", "NONE"]}
    first = rescaled(pictures(hill, BOX, EchoTime=20.0, **usual))
    second = pictures(lambda points: 90 - hill(points) / 4, BOX, EchoTime=80.0, **usual)
    phase = [picture.but(ImageType=["ORIGINAL", "PRIMARY", "P", "NONE"]) for picture in second]
    across = Box(orientation=(0, 1, 0, 0, 0, -1), along=tuple(4.0 * np.arange(5)))
    stack = pictures(hill, across, EchoTime=20.0, **{**usual, "StackID": "2"})
    pairs = [picture for pair in zip(second, first, phase, strict=True) for picture in pair]
    return [*stack, *pairs]


@pytest.mark.parametrize("spacing", [None, (3.0, 2.0, 2.0)])
@pytest.mark.parametrize("legacy", [False, True])
def test_an_enhanced_mr_gives_the_volume_of_its_twin(
    tmp_path: Path, settings: Settings, legacy: bool, spacing: tuple[float, ...] | None
) -> None:
    chosen = settings(size=SIZE, modality=("MR",), spacing=spacing)
    single = volume_of(write_singles(tmp_path / "single", several()), chosen)
    enhanced = volume_of(write_enhanced(tmp_path / "enhanced", several(), legacy=legacy), chosen)
    alone = rescaled(pictures(hill, BOX, EchoTime=20.0))
    expected = volume_of(write_singles(tmp_path / "alone", alone), chosen)
    for volume in (single, enhanced):
        np.testing.assert_array_equal(volume.values, expected.values)
        np.testing.assert_array_equal(volume.affine, expected.affine)
    assert expected.values.std() > 0.1


def test_an_enhanced_ct_gives_the_volume_of_its_twin(tmp_path: Path, settings: Settings) -> None:
    window = {
        "WindowCenter": 100.0,
        "WindowWidth": 500.0,
        "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
    }
    slices = rescaled(pictures(hill, BOX, ConvolutionKernel="SOFT", **window))
    slices += [
        picture.but(ConvolutionKernel="SHARP")
        for picture in pictures(lambda points: 50 + hill(points), BOX, **window)
    ]
    chosen = settings(size=SIZE, modality=("CT",))
    single = volume_of(write_singles(tmp_path / "single", slices, "CT"), chosen)
    enhanced = volume_of(write_enhanced(tmp_path / "enhanced", slices, "CT"), chosen)
    np.testing.assert_array_equal(single.values, enhanced.values)
    np.testing.assert_array_equal(single.affine, enhanced.affine)


def test_time_points_in_objects_of_their_own_are_one_volume_each(tmp_path: Path, settings: Settings) -> None:
    chosen = settings(size=SIZE, modality=("MR",))
    usual = pictures(hill, BOX, EchoTime=20.0)
    for time in (1, 2, 3):
        later = [picture.but(TemporalPositionIdentifier=time) for picture in usual]
        write_enhanced(tmp_path / "all", later, number=time)
    items, refused = items_of(scan(tmp_path / "all", chosen), chosen)
    assert [item.paths for item in items] == [("enhanced1.dcm",)]
    assert reasons(refused) == {"series-volume-not-used": 2}


def test_a_volume_may_be_spread_over_several_objects(tmp_path: Path, settings: Settings) -> None:
    chosen = settings(size=SIZE, modality=("MR",))
    slices = pictures(hill, BOX)
    whole = volume_of(write_singles(tmp_path / "single", slices), chosen)
    write_enhanced(tmp_path / "parts", slices[::2], number=1)
    write_enhanced(tmp_path / "parts", slices[1::2], number=2)
    parts = volume_of(tmp_path / "parts", chosen)
    np.testing.assert_array_equal(whole.values, parts.values)


def test_frames_that_are_not_described_are_refused(tmp_path: Path, settings: Settings) -> None:
    chosen = settings(size=SIZE, modality=("MR",))
    folder = write_enhanced(tmp_path / "a", pictures(hill, BOX))
    path = folder / "enhanced1.dcm"
    groups = pydicom.dcmread(path).PerFrameFunctionalGroupsSequence
    change(path, PerFrameFunctionalGroupsSequence=groups[:-1])
    (found,) = scan(folder, chosen)
    assert found.refused == "frames-disagree-with-header"
    change(path, PerFrameFunctionalGroupsSequence=None, SharedFunctionalGroupsSequence=None)
    (found,) = scan(folder, chosen)
    assert found.refused == "multi-frame"


def test_frames_without_a_position_are_ordered_by_their_place_in_the_object(
    tmp_path: Path, settings: Settings
) -> None:
    chosen = settings(size=SIZE, modality=("MR",))
    nowhere = [
        Picture(picture.stored, {key: value for key, value in picture.elements.items() if key != "ImagePositionPatient"})
        for picture in pictures(hill, BOX)
    ]  # fmt: skip
    volume = volume_of(write_enhanced(tmp_path / "a", nowhere), chosen)
    assert volume.affine is None
    placed = volume_of(write_enhanced(tmp_path / "b", pictures(hill, BOX)), chosen)
    np.testing.assert_allclose(volume.values, placed.values, atol=1e-5)
    metric = settings(size=SIZE, modality=("MR",), spacing=(3, 2, 2))
    assert refusal(tmp_path / "a", metric) == "series-without-positions"
