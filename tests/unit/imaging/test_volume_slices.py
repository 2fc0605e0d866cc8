"""What is read from a slice's header, and that no text of it is kept."""

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage

from wardround.imaging.volumes.slices import slice_of

KEY = b"0123456789abcdef"


def header(**elements: object) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.Modality = MRImageStorage, "MR"
    dataset.Rows, dataset.Columns, dataset.PhotometricInterpretation = 4, 5, "MONOCHROME2"
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def private(group: int, creator: str, offset: int, kind: str, value: object) -> Dataset:
    dataset = header()
    dataset.private_block(group, creator, create=True).add_new(offset, kind, value)
    return dataset


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["ORIGINAL", "PRIMARY", "M", "ND", "NORM"], "plain"),
        (["ORIGINAL", "PRIMARY", "P", "ND"], "part"),
        (["ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"], "part"),
        (["DERIVED", "PRIMARY", "MPR", "NORM"], "derived"),
        (["ORIGINAL", "PRIMARY", "LOCALIZER"], "localizer"),
        (["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"], "mosaic"),
        ("ORIGINAL", "plain"),
        ([], "plain"),
    ],
)
def test_the_kind_follows_from_the_image_type(words: object, kind: str) -> None:
    assert slice_of(header(ImageType=words), KEY).kind == kind


def test_letters_mean_parts_in_mr_only() -> None:
    assert slice_of(header(ImageType=["ORIGINAL", "PRIMARY", "R"], Modality="CT"), KEY).kind == "plain"


def test_a_phase_image_of_ge_is_known_by_its_own_element() -> None:
    assert slice_of(private(0x0043, "GEMS_PARM_01", 0x2F, "SS", 1), KEY).kind == "part"
    assert slice_of(private(0x0043, "GEMS_PARM_01", 0x2F, "SS", 0), KEY).kind == "plain"


@pytest.mark.parametrize(
    ("dataset", "b_value"),
    [
        (header(DiffusionBValue=700.0), 700),
        (private(0x0019, "SIEMENS MR HEADER", 0x0C, "IS", "800"), 800),
        (private(0x0019, "SIEMENS MR HEADER", 0x0C, "UN", b"800 "), 800),
        (private(0x0019, "SOMEONE ELSE", 0x0C, "IS", "800"), None),
        (private(0x2001, "Philips Imaging DD 001", 0x03, "FL", 1000.0), 1000),
        (private(0x0043, "GEMS_PARM_01", 0x39, "IS", ["1000000900", "8", "0", "0"]), 900),
        (private(0x0065, "Image Private Header", 0x09, "FD", 50.0), 50),
        (header(), None),
    ],
)
def test_b_values_are_found_where_vendors_put_them(dataset: Dataset, b_value: float | None) -> None:
    assert slice_of(dataset, KEY).b_value == b_value


@pytest.mark.parametrize(
    "orientation", [[0, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0], [2, 0, 0, 0, 1, 0], [1, 0, 0], None]
)
def test_directions_that_are_none_count_as_missing(orientation: object) -> None:
    assert slice_of(header(ImageOrientationPatient=orientation), KEY).orientation is None


@pytest.mark.parametrize("spacing", [[0, 1], [-1, -1], [1], None])
def test_a_spacing_that_is_none_counts_as_missing(spacing: object) -> None:
    assert slice_of(header(PixelSpacing=spacing), KEY).spacing is None


def test_rescaled_ct_values_are_hounsfield_units_unless_said_otherwise() -> None:
    assert slice_of(header(Modality="CT"), KEY).hounsfield
    assert slice_of(header(Modality="CT", RescaleType="HU"), KEY).hounsfield
    assert not slice_of(header(Modality="CT", RescaleType="US"), KEY).hounsfield
    assert not slice_of(header(Modality="CT", PhotometricInterpretation="RGB"), KEY).hounsfield
    assert not slice_of(header(Modality="MR"), KEY).hounsfield


def test_texts_are_kept_as_a_keyed_hash_only() -> None:
    dataset = header(
        ImageType=["ORIGINAL", "PRIMARY", "SECRETNAME"], ConvolutionKernel="SECRETKERNEL", StackID="SECRET"
    )
    kept = slice_of(dataset, KEY)
    assert "SECRET" not in kept.model_dump_json()
    assert kept.family != slice_of(dataset, KEY[::-1]).family
    dataset.ConvolutionKernel = "OTHER"
    assert kept.family != slice_of(dataset, KEY).family
