"""Colour, palettes, windows and frames: what an image shows as grey."""

from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from imaging_cases import Settings, describe, write_pixels
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, JPEGLSLossless

from wardround.imaging.decode import decode_item
from wardround.imaging.reading.grey import Stack, read_grey, read_stack
from wardround.imaging.reading.header import quiet
from wardround.imaging.reading.pixels import to_unit
from wardround.imaging.reading.windows import linear_window, sigmoid
from wardround.imaging.reasons import Refusal

LIMIT = 64 << 20


def stack(path: Path) -> Stack:
    with quiet():
        return read_stack(path, LIMIT)


def edited(path: Path, **elements: object) -> Path:
    dataset = pydicom.dcmread(path)
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    return path


def test_colours_become_their_luminance(tmp_path: Path) -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    path = write_pixels(tmp_path / "a.dcm", colours.tobytes(), **describe(colours))
    np.testing.assert_allclose(to_unit(stack(path).grey(0)), [[0.299, 0.587, 0.114, 1]], atol=1e-5)


def test_a_colour_image_keeps_its_brightness(tmp_path: Path) -> None:
    dark = np.random.default_rng(0).integers(0, 60, (20, 20, 3)).astype(np.uint8)
    path = write_pixels(tmp_path / "a.dcm", dark.tobytes(), **describe(dark))
    assert to_unit(stack(path).grey(0)).max() < 60 / 255 + 1e-5


def test_luma_and_chroma_give_the_luma(tmp_path: Path) -> None:
    luma = np.linspace(40, 200, 24).reshape(4, 6).astype(np.uint8)
    full = np.stack([luma, np.full_like(luma, 120), np.full_like(luma, 130)], axis=-1)
    path = write_pixels(
        tmp_path / "a.dcm", full.tobytes(), **{**describe(full), "PhotometricInterpretation": "YBR_FULL"}
    )
    np.testing.assert_allclose(to_unit(stack(path).grey(0)), luma / 255, atol=2 / 255)


def test_a_luma_from_16_to_235_is_stretched(tmp_path: Path) -> None:
    luma = np.linspace(16, 235, 24).reshape(4, 6).astype(np.uint8)
    partial = np.stack([luma, np.full_like(luma, 128), np.full_like(luma, 128)], axis=-1)
    frame = imagecodecs.jpegls_encode(partial)
    elements = {**describe(partial), "PhotometricInterpretation": "YBR_PARTIAL_422"}
    path = write_pixels(tmp_path / "a.dcm", [frame], JPEGLSLossless, **elements)
    np.testing.assert_allclose(to_unit(stack(path).grey(0)), (luma - 16.0) / 219, atol=1e-5)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize(("depth", "first"), [(8, 0), (16, 0), (16, 3)])
def test_a_palette_gives_the_grey_of_its_colours(tmp_path: Path, syntax: str, depth: int, first: int) -> None:
    places = np.arange(12, dtype=np.uint8).reshape(3, 4)
    greys = (np.arange(10) * (2**depth // 10)).astype("u1" if depth == 8 else "u2")
    # A big-endian file swaps the bytes of words; its pixels are written as bytes.
    raw = (greys.view("u2").byteswap() if syntax == ExplicitVRBigEndian else greys).tobytes()
    elements = {**describe(places), "PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        elements[f"{colour}PaletteColorLookupTableDescriptor"] = [10, first, depth]
        elements[f"{colour}PaletteColorLookupTableData"] = raw
    path = write_pixels(tmp_path / "a.dcm", places.tobytes(), syntax, **elements)
    wanted = greys[np.clip(places.astype(int) - first, 0, 9)] / (2**depth - 1)
    np.testing.assert_allclose(to_unit(stack(path).grey(0)), wanted, atol=1e-4)


def segmented(path: Path, words: list[int], entries: int = 8) -> Path:
    places = np.arange(8, dtype=np.uint8).reshape(2, 4)
    elements = {**describe(places), "PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        elements[f"{colour}PaletteColorLookupTableDescriptor"] = [entries, 0, 16]
        elements[f"Segmented{colour}PaletteColorLookupTableData"] = np.array(words, "<u2").tobytes()
    return write_pixels(path, places.tobytes(), **elements)


def test_a_segmented_palette_is_expanded(tmp_path: Path) -> None:
    # Two values as they are, three on a line to 60000, and the first segment again and cut to the entries said.
    path = segmented(tmp_path / "a.dcm", [0, 2, 0, 30000, 1, 3, 60000, 2, 1, 0, 0, 0, 1, 65535])
    grey = stack(path).grey(0)
    np.testing.assert_allclose(grey.stored.ravel(), [0, 30000, 40000, 50000, 60000, 0, 30000, 65535], atol=1)


@pytest.mark.parametrize(
    "words",
    [[0, 2, 0, 30000], [1, 8, 60000], [2, 1, 0, 0], [0, 4, 1, 2, 3, 4, 1, 60000, 9], [0, 8], [7, 7, 7], []],
    ids=["too few", "a line from nowhere", "a circle", "too many", "cut", "no segment", "empty"],
)
def test_a_segmented_palette_that_is_broken_is_refused(tmp_path: Path, words: list[int]) -> None:
    with pytest.raises(Refusal):
        stack(segmented(tmp_path / "a.dcm", words)).grey(0)


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        # PS3.3 C.11.2.1.2: center 100, width 5 shows from 97.5 to 101.5; exactly it is from 97.5 to 102.5.
        ("LINEAR", lambda x: np.clip((x - 99.5) / 4 + 0.5, 0, 1)),
        ("LINEAR_EXACT", lambda x: np.clip((x - 100) / 5 + 0.5, 0, 1)),
        ("SIGMOID", lambda x: 1 / (1 + np.exp(-4 * (x - 100) / 5))),
    ],
)
def test_each_function_of_a_window_is_the_standards(function: str, wanted: object) -> None:
    header, values = Dataset(), np.linspace(90, 110, 41, dtype=np.float32)[None]
    header.WindowCenter, header.WindowWidth, header.VOILUTFunction = [100, 7], [5, 1], function
    window = linear_window(header)
    shown = window(values) if window else sigmoid(values, header)
    np.testing.assert_allclose(shown, wanted(values), atol=1e-5)  # type: ignore[operator]


def test_a_window_of_width_one_is_a_step() -> None:
    header = Dataset()
    header.WindowCenter, header.WindowWidth = 100, 1
    window = linear_window(header)
    assert window is not None
    np.testing.assert_allclose(window(np.array([[98, 99, 100, 101]], np.float32)), [[0, 0, 1, 1]])


def test_a_modality_table_comes_before_the_window(tmp_path: Path) -> None:
    stored = np.arange(8, dtype=np.uint16).reshape(2, 4)
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [8, 0, 16])
    table.add_new("LUTData", "US", [10 * value for value in range(8)])
    table.ModalityLUTType = "US"
    path = write_pixels(tmp_path / "a.dcm", stored.tobytes(), ModalityLUTSequence=[table], **describe(stored))
    np.testing.assert_array_equal(stack(path).grey(0).values, 10.0 * stored)


def test_what_is_no_number_is_black(tmp_path: Path) -> None:
    values = np.linspace(1, 2, 30).reshape(5, 6).astype("<f4")
    values[0, 0], values[1, 1] = np.nan, np.inf
    path = write_pixels(tmp_path / "a.dcm", b"", FloatPixelData=values.tobytes(), **describe(values))
    dataset = pydicom.dcmread(path)
    del dataset.PixelData
    dataset.save_as(path)
    unit = to_unit(stack(path).grey(0))
    assert np.isfinite(unit).all() and unit[0, 0] == unit[1, 1] == 0 and unit.max() == 1


@pytest.mark.parametrize(
    "elements",
    [
        {"RescaleSlope": [1, 2], "RescaleIntercept": 0},
        {"PixelPaddingValue": [1, 2]},
        {"ModalityLUTSequence": [Dataset()]},
    ],
)
def test_a_header_that_cannot_be_meant_is_refused(tmp_path: Path, elements: dict[str, object]) -> None:
    stored = np.arange(8, dtype=np.uint16).reshape(2, 4)
    path = write_pixels(tmp_path / "a.dcm", stored.tobytes(), **describe(stored), **elements)
    with pytest.raises(Refusal, match="damaged-header"):
        to_unit(stack(path).grey(0))


def cine(path: Path, frames: int = 5) -> Path:
    values = np.stack([np.arange(64, dtype=np.uint8).reshape(8, 8) + index for index in range(frames)])
    return write_pixels(path, values.tobytes(), **{**describe(values[0]), "NumberOfFrames": frames})


def test_the_middle_frame_of_a_film_is_its_image(tmp_path: Path, settings: Settings) -> None:
    path = edited(cine(tmp_path / "a.dcm"), WindowCenter=128, WindowWidth=256)
    image = decode_item([path], settings(size=(8, 8)))
    np.testing.assert_array_equal(image[..., 0], np.arange(64).reshape(8, 8) + 2)


def test_a_film_is_refused_where_only_single_frames_are_wanted(tmp_path: Path, settings: Settings) -> None:
    path = cine(tmp_path / "a.dcm")
    with pytest.raises(Refusal, match="multi-frame"):
        decode_item([path], settings(frames="refuse"))
    with pytest.raises(Refusal, match="multi-frame"):
        read_grey(path, LIMIT)


def macro(keyword: str, **elements: object) -> Dataset:
    inner, outer = Dataset(), Dataset()
    for name, value in elements.items():
        setattr(inner, name, value)
    setattr(outer, keyword, [inner])
    return outer


def test_each_frame_of_an_enhanced_object_has_a_header_of_its_own(tmp_path: Path) -> None:
    shared = macro("PixelMeasuresSequence", PixelSpacing=[0.5, 0.5], SliceThickness=2)
    frames = []
    for index in range(5):
        frame = macro("PlanePositionSequence", ImagePositionPatient=[0, 0, 2 * index])
        frame.update(
            macro("PixelValueTransformationSequence", RescaleSlope=index + 1, RescaleIntercept=-index)
        )
        frames.append(frame)
    path = edited(
        cine(tmp_path / "a.dcm"),
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=frames,
    )
    opened = stack(path)
    assert opened.enhanced and opened.frames == 5 and opened.shape == (8, 8)
    for index, grey in enumerate(opened):
        assert list(grey.header.PixelSpacing) == [0.5, 0.5]
        assert list(grey.header.ImagePositionPatient) == [0, 0, 2 * index]
        wanted = (np.arange(64).reshape(8, 8) + index) * (index + 1) - index
        np.testing.assert_array_equal(grey.values, wanted)
        np.testing.assert_array_equal(opened.grey(index).values, wanted)


def test_the_header_of_a_frame_is_there_without_its_pixels(tmp_path: Path) -> None:
    header = stack(cine(tmp_path / "a.dcm")).frame_header(3)
    assert header.Rows == 8 and "PixelData" not in header
