"""Stored values come back as they were written, in every depth, order, layout and compression."""

from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from imaging_cases import describe, write_pixels
from pydicom.uid import (
    HTJ2K,
    MPEG4HP41BD,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from wardround.imaging.reading.header import quiet
from wardround.imaging.reading.kinds import kind_of
from wardround.imaging.reading.stored import open_stored
from wardround.imaging.reasons import Refusal

LIMIT = 64 << 20
NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
SLOW = [HealthCheck.function_scoped_fixture]


def frames(path: Path) -> list[np.ndarray]:
    with quiet():
        return list(open_stored(path, (), LIMIT))


def compress(dataset: pydicom.Dataset, syntax: str) -> None:
    # gdcm's run-length encoder aborts on some images.
    plugin = "pydicom" if syntax == RLELossless else ""
    dataset.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)


def in_order(array: np.ndarray, syntax: str) -> bytes:
    big = syntax == ExplicitVRBigEndian
    raw = array.astype(array.dtype.newbyteorder(">" if big else "<")).tobytes()
    # Bytes are written as words, which a big-endian file swaps.
    return raw


@st.composite
def images(draw: st.DrawFn, smallest: int = 1) -> tuple[np.ndarray, int]:
    """An image of any integer type, grey or colour, and how many of its bits are used."""
    dtype = draw(st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4"]))
    bits = draw(st.integers(1 + (dtype[0] == "i"), 8 * int(dtype[1])))
    low, high = (0, 2**bits - 1) if dtype[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    rows, columns = (draw(st.integers(smallest, smallest + 8)) for _ in range(2))
    shape = draw(st.sampled_from([(rows, columns), (rows, columns, 3)]))
    return draw(arrays(dtype, shape, elements=st.integers(low, high))), bits


@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(image=images(), syntax=st.sampled_from(NATIVE), planes=st.booleans())
def test_uncompressed_values_of_any_depth_come_back(
    tmp_path: Path, image: tuple[np.ndarray, int], syntax: str, planes: bool
) -> None:
    array, bits = image
    elements = describe(array, bits)
    stored = array
    if array.ndim == 3 and planes:
        stored, elements["PlanarConfiguration"] = array.transpose(2, 0, 1), 1
    path = write_pixels(tmp_path / "a.dcm", in_order(stored, syntax), syntax, **elements)
    np.testing.assert_array_equal(frames(path), [array])


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(image=images(smallest=32), syntax=st.sampled_from([RLELossless, JPEGLSLossless, JPEG2000Lossless]))
def test_compressed_values_come_back(tmp_path: Path, image: tuple[np.ndarray, int], syntax: str) -> None:
    array, bits = image
    # What pydicom's encoders take; its run-length encoder confuses few bits in many.
    if syntax == RLELossless:
        array = array.astype("u2") if array.dtype.itemsize > 2 else array
        array, bits = array.view(array.dtype.str.replace("i", "u")), 8 * array.dtype.itemsize
    elif array.dtype.itemsize > 2 or array.dtype.kind == "i" or bits < 8:
        array, bits = np.abs(array.astype(np.int64)).astype(np.uint16) & 0xFFF, 12
    path = write_pixels(tmp_path / "a.dcm", in_order(array, "1.2.840.10008.1.2.1"), **describe(array, bits))
    dataset = pydicom.dcmread(path)
    compress(dataset, syntax)
    dataset.save_as(path)
    np.testing.assert_array_equal(frames(path), [array])


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("syntax", [HTJ2KLossless, HTJ2K])
def test_high_throughput_jpeg_2000_comes_back(tmp_path: Path, dtype: str, syntax: str) -> None:
    array = np.random.default_rng(0).integers(0, 4096, (40, 50)).astype(dtype)
    frame = imagecodecs.htj2k_encode(array, reversible=True)
    path = write_pixels(tmp_path / "a.dcm", [frame], syntax, **describe(array))
    np.testing.assert_array_equal(frames(path), [array])


@pytest.mark.parametrize("bits", [8, 12])
def test_extended_jpeg_keeps_its_values_but_for_a_few_levels(tmp_path: Path, bits: int) -> None:
    ramp = np.linspace(0, 2**bits - 1, 64 * 48).reshape(64, 48).astype(np.uint8 if bits == 8 else np.uint16)
    frame = imagecodecs.jpeg8_encode(ramp, level=98, bitspersample=bits)
    path = write_pixels(tmp_path / "a.dcm", [frame], JPEGExtended12Bit, **describe(ramp, bits))
    assert np.abs(frames(path)[0].astype(int) - ramp).max() <= 6


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1])
def test_lossless_jpeg_comes_back(tmp_path: Path, bits: int, syntax: str) -> None:
    array = (
        np.random.default_rng(0).integers(0, 2**bits, (40, 50)).astype(np.uint8 if bits == 8 else np.uint16)
    )
    frame = imagecodecs.jpeg8_encode(array, lossless=True, bitspersample=bits)
    path = write_pixels(tmp_path / "a.dcm", [frame], syntax, **describe(array, bits))
    np.testing.assert_array_equal(frames(path), [array])


def test_bits_that_are_not_used_say_nothing(tmp_path: Path) -> None:
    values = np.arange(-8, 8, dtype=np.int16).reshape(4, 4)
    # An overlay in the upper bits of 12 bit values, as older files have it.
    stored = (values & 0x0FFF) | np.int16(0x5000)
    path = write_pixels(tmp_path / "a.dcm", stored.tobytes(), **describe(values, 12))
    np.testing.assert_array_equal(frames(path), [values])


@pytest.mark.parametrize("dtype", ["u2", "i2"])
def test_values_in_the_upper_bits_are_moved_down(tmp_path: Path, dtype: str) -> None:
    low = -2048 if dtype == "i2" else 0
    values = np.linspace(low, low + 4095, 30).astype(dtype).reshape(5, 6)
    stored = (values << 4) | 0xF if dtype == "u2" else values << 4
    elements = {**describe(values, 12), "HighBit": 15}
    path = write_pixels(tmp_path / "a.dcm", stored.astype(dtype).tobytes(), **elements)
    np.testing.assert_array_equal(frames(path), [values])


@pytest.mark.parametrize("shape", [(3, 3), (8, 2), (5, 7)])
def test_packed_bits_are_unpacked_across_frames(tmp_path: Path, shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).integers(0, 2, (5, *shape)).astype(np.uint8)
    packed = np.packbits(values.ravel(), bitorder="little").tobytes()
    elements = {**describe(values[0], 1), "BitsAllocated": 1, "NumberOfFrames": 5}
    path = write_pixels(tmp_path / "a.dcm", packed, **elements)
    np.testing.assert_array_equal(frames(path), values)
    with quiet():
        np.testing.assert_array_equal(open_stored(path, (), LIMIT).frame(3), values[3])


@pytest.mark.parametrize(("dtype", "keyword"), [("<f4", "FloatPixelData"), ("<f8", "DoubleFloatPixelData")])
def test_floating_point_values_come_back(tmp_path: Path, dtype: str, keyword: str) -> None:
    values = np.linspace(-1.5, 1e6, 12).reshape(3, 4).astype(dtype)
    elements = {**describe(values), keyword: values.tobytes()}
    path = write_pixels(tmp_path / "a.dcm", b"", **elements)
    dataset = pydicom.dcmread(path)
    del dataset.PixelData
    dataset.save_as(path)
    np.testing.assert_array_equal(frames(path), [values])


def test_frames_of_many_fragments_or_none_too_few(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (3, 20, 20)).astype(np.uint8)
    encoded = [imagecodecs.jpegls_encode(frame) for frame in array]
    elements = {**describe(array[0]), "NumberOfFrames": 3}
    path = write_pixels(tmp_path / "a.dcm", encoded, JPEGLSLossless, **elements)
    np.testing.assert_array_equal(frames(path), array)
    path = write_pixels(tmp_path / "b.dcm", encoded[:2], JPEGLSLossless, **elements)
    with pytest.raises(Refusal):
        frames(path)


@pytest.mark.parametrize(
    "syntax",
    [
        "1.2.840.10008.1.2.4.53",
        "1.2.840.10008.1.2.4.55",
        "1.2.840.10008.1.2.4.110",
        "1.2.840.10008.1.2.4.103",
    ],
)
def test_a_syntax_without_a_decoder_is_refused_by_its_name(tmp_path: Path, syntax: str) -> None:
    array = np.zeros((4, 4), np.uint8)
    # A syntax that pydicom does not know, it does not write.
    path = write_pixels(tmp_path / "a.dcm", [b"\xff\xd8\xff\xd9"], MPEG4HP41BD, **describe(array))
    told = syntax.encode().ljust(len(MPEG4HP41BD), b"\0")
    path.write_bytes(path.read_bytes().replace(MPEG4HP41BD.encode(), told))
    with pytest.raises(Refusal, match=r"^transfer-syntax-unsupported$"):
        frames(path)
    kind = kind_of(path)
    assert kind.sop_class.startswith("Multi-frame Grayscale Word") and kind.syntax not in ("", syntax)


def test_a_sequential_jpeg_without_all_coefficients_is_refused(tmp_path: Path) -> None:
    array = np.full((16, 16), 100, np.uint8)
    frame = bytearray(imagecodecs.jpeg8_encode(array))
    scan = frame.index(b"\xff\xda")
    frame[scan + 8] = 0
    path = write_pixels(tmp_path / "a.dcm", [bytes(frame)], JPEGBaseline8Bit, **describe(array))
    with pytest.raises(Refusal, match="codestream-disagrees-with-header"):
        frames(path)


@hypothesis_settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(
    encoder=st.sampled_from([RLELossless, JPEGLSLossless, JPEG2000Lossless]),
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_a_damaged_codestream_is_read_or_refused_and_never_raises(
    tmp_path: Path, encoder: str, changes: list[tuple[int, int]]
) -> None:
    array = np.random.default_rng(0).integers(0, 4096, (32, 37)).astype(np.uint16)
    path = write_pixels(tmp_path / "a.dcm", array.tobytes(), **describe(array, 12))
    dataset = pydicom.dcmread(path)
    compress(dataset, encoder)
    broken = bytearray(dataset.PixelData)
    for place, value in changes:
        broken[20 + place % (len(broken) - 20)] = value
    dataset.PixelData = bytes(broken)
    dataset.save_as(path)
    try:
        assert [frame.shape for frame in frames(path)] == [array.shape]
    except Refusal as refusal:
        assert refusal.code == refusal.reason.value
