"""Grey values mean the same whatever the scanner's way of storing them."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from imaging_cases import WriteXray, change, jpeg_lossless, picture
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from wardround.imaging.reading.header import quiet
from wardround.imaging.reading.pixels import quantised, read_grey, to_unit
from wardround.imaging.reasons import Refusal
from wardround.imaging.resize import fit
from wardround.imaging.writer import Grey

LIMIT = 512 << 20


def unit(tmp_path: Path, name: str) -> np.ndarray:
    with quiet():
        return to_unit(read_grey(tmp_path / "source" / f"{name}.dcm", LIMIT))


def test_monochrome1_is_monochrome2_inverted(tmp_path: Path, write_xray: WriteXray) -> None:
    window = (2048, 4096)
    write_xray("two", grey=Grey(12, "MONOCHROME2", window))
    write_xray("one", stored=4095 - picture(), grey=Grey(12, "MONOCHROME1", window))
    np.testing.assert_allclose(unit(tmp_path, "one"), unit(tmp_path, "two"), atol=1e-3)


def test_twelve_bits_in_sixteen_use_the_twelve_bit_range(tmp_path: Path, write_xray: WriteXray) -> None:
    write_xray("a", grey=Grey(12, window=(2048, 4096)))
    np.testing.assert_allclose(unit(tmp_path, "a"), picture() / 4095, atol=1e-3)


def test_eight_bits_of_odd_size_are_read(tmp_path: Path, write_xray: WriteXray) -> None:
    stored = np.arange(35, dtype=np.uint8).reshape(7, 5) * 7
    write_xray("a", stored=stored, grey=Grey(8, window=(128, 256)))
    np.testing.assert_allclose(unit(tmp_path, "a"), stored / 255, atol=1e-2)


def test_a_window_in_rescaled_units_selects_the_same_values(tmp_path: Path, write_xray: WriteXray) -> None:
    write_xray("plain", grey=Grey(12, window=(1000, 500)))
    write_xray(
        "scaled", grey=Grey(12, window=(2 * 1000 - 1024, 2 * 500)), RescaleSlope=2, RescaleIntercept=-1024
    )
    np.testing.assert_allclose(unit(tmp_path, "scaled"), unit(tmp_path, "plain"), atol=3e-3)


def test_without_a_window_outliers_do_not_darken_the_image(tmp_path: Path, write_xray: WriteXray) -> None:
    stored = np.random.default_rng(0).integers(1000, 1500, (80, 80)).astype(np.uint16)
    stored[0, 0] = 4095
    write_xray("a", stored=stored)
    assert 0.4 < unit(tmp_path, "a").mean() < 0.6


@pytest.mark.parametrize("window", [(100000, 2), (2048, 0)])
def test_a_window_that_shows_nothing_is_not_used(
    tmp_path: Path, write_xray: WriteXray, window: tuple[float, float]
) -> None:
    write_xray("a", grey=Grey(12, window=window))
    assert np.ptp(unit(tmp_path, "a")) == 1


def test_a_lookup_table_for_display_is_applied(tmp_path: Path, write_xray: WriteXray) -> None:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [4096, 0, 12])
    table.add_new("LUTData", "US", list(reversed(range(4096))))
    write_xray("a", VOILUTSequence=[table])
    np.testing.assert_allclose(unit(tmp_path, "a"), 1 - picture() / 4095, atol=1e-2)


def test_padding_is_black_and_does_not_count_for_the_contrast(tmp_path: Path, write_xray: WriteXray) -> None:
    stored = np.random.default_rng(0).integers(2000, 2100, (40, 40)).astype(np.uint16)
    stored[:, :20] = 0
    write_xray("a", stored=stored, grey=Grey(12, "MONOCHROME1"), PixelPaddingValue=0)
    seen = unit(tmp_path, "a")
    assert not seen[:, :20].any() and 0.4 < seen[:, 20:].mean() < 0.6


def recompress(path: Path, syntax: str) -> None:
    dataset = pydicom.dcmread(path)
    dataset.compress(syntax, generate_instance_uid=False)
    dataset.save_as(path)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGLosslessSV1])
def test_lossless_compression_changes_nothing(tmp_path: Path, write_xray: WriteXray, syntax: str) -> None:
    for name in ("plain", "packed"):
        write_xray(name, stored=picture(96, 80), grey=Grey(12, window=(2048, 4096)))
    path = tmp_path / "source" / "packed.dcm"
    if syntax == JPEGLosslessSV1:
        jpeg_lossless(path)
    else:
        recompress(path, syntax)
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == syntax
    np.testing.assert_array_equal(unit(tmp_path, "packed"), unit(tmp_path, "plain"))


def test_an_image_of_one_value_is_blank(tmp_path: Path, write_xray: WriteXray) -> None:
    write_xray("a", stored=np.full((20, 20), 7, np.uint16))
    with pytest.raises(Refusal, match="blank"):
        unit(tmp_path, "a")


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}, "truncated"),
        ({"SamplesPerPixel": 3}, "photometric-unsupported"),
        ({"PhotometricInterpretation": "HSV"}, "photometric-unsupported"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "palette-unusable"),
        ({"NumberOfFrames": 3}, "truncated"),
        ({"NumberOfFrames": -1}, "damaged-header"),
        ({"PixelRepresentation": None}, "damaged-header"),
        ({"PixelRepresentation": 2}, "damaged-header"),
        ({"BitsStored": None}, "damaged-header"),
        ({"Rows": None}, "no-pixels"),
        ({"PixelData": None}, "no-pixels"),
        ({"Rows": 60000, "Columns": 60000}, "too-large"),
        ({"Rows": 4000}, "truncated"),
        ({"BitsAllocated": 12}, "bit-depth"),
        ({"BitsStored": 40}, "bit-depth"),
    ],
)
def test_what_a_header_claims_is_checked_before_decoding(
    tmp_path: Path, write_xray: WriteXray, elements: dict[str, object], reason: str
) -> None:
    write_xray("a", **elements)
    with pytest.raises(Refusal, match=f"^{reason}$"):
        unit(tmp_path, "a")


def test_a_codestream_larger_than_its_header_is_refused(tmp_path: Path, write_xray: WriteXray) -> None:
    write_xray("a", grey=Grey(12, compression="jpeg-ls"))
    change(tmp_path / "source" / "a.dcm", Rows=8, Columns=8)
    with pytest.raises(Refusal, match="codestream-disagrees-with-header"):
        unit(tmp_path, "a")


def test_resizing_keeps_the_aspect_ratio_and_pads_with_black() -> None:
    small = fit(np.ones((100, 50), np.float32), (20, 20))
    assert (
        small.shape == (20, 20)
        and small[:, 5:15].all()
        and not small[:, :5].any()
        and not small[:, 15:].any()
    )


def test_resizing_respects_pixels_that_are_not_square() -> None:
    small = fit(np.ones((50, 50), np.float32), (20, 20), spacing=(2.0, 1.0))
    assert small.any(axis=1).all() and small.any(axis=0).sum() == 10


def test_reducing_averages_instead_of_skipping_pixels() -> None:
    stripes = np.tile(np.array([0, 1], np.float32), (64, 32))
    assert np.abs(fit(stripes, (8, 8))[:, 1:-1] - 0.5).max() < 0.05


@pytest.mark.parametrize(("bits", "top"), [(8, 255), (16, 65535)])
def test_quantising_uses_the_whole_range(bits: int, top: int) -> None:
    assert quantised(np.array([0.0, 0.5, 1.0]), bits).tolist() == [0, round(top / 2), top]
