"""What a header alone says about burned-in text, and the rectangles that are known to hold it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from wardround.errors import ConfigurationError
from wardround.imaging.burned_in import Box, Outcome, Rules, Suspicion, examine
from wardround.imaging.burned_in.headers import suspicions
from wardround.imaging.burned_in.regions import black_out, known_regions, load_catalogue

FLAT = np.zeros((40, 60), np.uint16)
CT = "1.2.840.10008.5.1.4.1.1.2"


def header(modality: str = "CT", **elements: object) -> Dataset:
    """A header of an original image, with further elements."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.Modality, dataset.ImageType = CT, modality, ["ORIGINAL", "PRIMARY", "AXIAL"]
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def region(left: int, top: int, right: int, bottom: int) -> Dataset:
    """An ultrasound region; its last column and row belong to it."""
    item = Dataset()
    item.RegionLocationMinX0, item.RegionLocationMinY0 = left, top
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = right, bottom
    return item


@pytest.mark.parametrize("modality", ["CR", "DX", "MG", "CT", "MR", "PT", "NM"])
def test_an_original_image_gives_no_suspicion(modality: str) -> None:
    assert suspicions(header(modality)) == ()


def test_a_derived_image_is_no_screenshot() -> None:
    assert suspicions(header("DX", ImageType=["DERIVED", "SECONDARY", ""])) == ()


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"BurnedInAnnotation": "YES"}, Suspicion.ANNOTATED),
        ({"RecognizableVisualFeatures": "YES"}, Suspicion.FEATURES),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, Suspicion.SECONDARY),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.4"}, Suspicion.SECONDARY),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"}, Suspicion.DOCUMENT),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, Suspicion.SCREEN),
        ({"ImageType": ["DERIVED", "SECONDARY", "OTHER", "CT_SOM5 PROT"]}, Suspicion.SCREEN),
        ({"ConversionType": "WSD"}, Suspicion.CONVERTED),
        ({"ConversionType": "DF"}, Suspicion.CONVERTED),
        ({"modality": "XC"}, Suspicion.PHOTOGRAPH),
        ({"modality": "DOC"}, Suspicion.DOCUMENT),
        ({"modality": "OT"}, Suspicion.KIND),
        ({"modality": "US"}, Suspicion.ULTRASOUND),
    ],
)
def test_a_header_that_speaks_of_text_quarantines(elements: dict[str, object], reason: Suspicion) -> None:
    verdict = examine(header(**elements), FLAT, Rules())  # type: ignore[arg-type]
    assert (verdict.outcome, verdict.reasons) == (Outcome.QUARANTINED, (reason,))
    assert verdict.picture is not None


def test_an_overlay_in_the_pixels_words_quarantines() -> None:
    dataset = header()
    dataset.add_new((0x6002, 0x0100), "US", 16)
    assert suspicions(dataset) == (Suspicion.OVERLAY,)


def test_a_vendors_word_that_holds_another_is_no_screenshot() -> None:
    assert suspicions(header(ImageType=["ORIGINAL", "PRIMARY", "ANGIOGRAPHY", "PORTABLE", "LOW_DOSE"])) == ()


def test_one_suspect_slice_quarantines_its_series() -> None:
    verdict = examine([header(), header(BurnedInAnnotation="YES")], np.stack([FLAT, FLAT]), Rules())
    assert verdict.reasons == (Suspicion.ANNOTATED,)


def test_outside_of_ultrasound_regions_is_blackened() -> None:
    sector = header("US", BurnedInAnnotation="YES", SequenceOfUltrasoundRegions=[region(10, 8, 49, 31)])
    verdict = examine(sector, FLAT, Rules())
    covered = black_out(np.ones((40, 60)), verdict.regions, 0)
    assert verdict.outcome is Outcome.MASKED
    assert covered[8:32, 10:50].all() and covered.sum() == 24 * 40


def test_a_rectangular_shutter_hides_what_is_outside() -> None:
    shut = header(
        "DX",
        ShutterShape="RECTANGULAR",
        ShutterLeftVerticalEdge=5,
        ShutterRightVerticalEdge=56,
        ShutterUpperHorizontalEdge=1,
        ShutterLowerHorizontalEdge=31,
    )
    covered = black_out(np.ones((40, 60)), known_regions(shut, (40, 60), load_catalogue()).regions, 0)
    assert covered[1:30, 5:55].all() and covered.sum() == 29 * 50


def test_a_hospitals_own_device_is_blackened_and_vouched_for(tmp_path: Path) -> None:
    own = tmp_path / "devices.yaml"
    own.write_text(
        "devices:\n- {manufacturer: Acme, model: One, rows: 40, blacken: [[0, 0, 0.5, 0.25]], complete: true}\n"
    )
    scanner = header(BurnedInAnnotation="YES", Manufacturer="ACME ", ManufacturerModelName="one", Rows=40)
    verdict = examine(scanner, FLAT, Rules.of(own))
    assert (verdict.outcome, verdict.regions) == (Outcome.MASKED, (Box(0, 0, 30, 10),))
    assert examine(scanner, FLAT, Rules()).reasons == (Suspicion.ANNOTATED,)


@pytest.mark.parametrize(
    "content", ["devices: 3", "devices:\n- {manufacturer: A, blacken: [[0, 0, 2, 1]]}", "{"]
)
def test_a_wrong_catalogue_is_named(tmp_path: Path, content: str) -> None:
    own = tmp_path / "devices.yaml"
    own.write_text(content)
    with pytest.raises(ConfigurationError, match=r"devices\.yaml"):
        load_catalogue(own)


NUMBERS = st.integers(-50, 150)
PLACES = st.integers(0, 150)


@settings(deadline=None)
@given(
    st.lists(st.tuples(PLACES, PLACES, PLACES, PLACES), max_size=5),
    st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    st.tuples(st.integers(1, 80), st.integers(1, 80)),
)
def test_masks_never_leave_the_image_nor_cover_an_ultrasound_region(
    sectors: list[tuple[int, int, int, int]], shutter: tuple[int, int, int, int], shape: tuple[int, int]
) -> None:
    rows, columns = shape
    dataset = header("US", SequenceOfUltrasoundRegions=[region(*sector) for sector in sectors])
    catalogue = load_catalogue()
    boxes = known_regions(dataset, shape, catalogue).regions
    seen = np.zeros(shape, bool)
    for left, top, right, bottom in sectors:
        seen[max(0, top) : max(0, bottom + 1), max(0, left) : max(0, right + 1)] = True
    hidden = black_out(np.ones(shape), boxes, 0) == 0
    assert (hidden == (~seen if seen.any() else seen)).all()
    dataset.ShutterShape = "RECTANGULAR"
    for side, edge in zip(("LeftVertical", "RightVertical", "UpperHorizontal", "LowerHorizontal"), shutter):
        setattr(dataset, f"Shutter{side}Edge", edge)
    for box in known_regions(dataset, shape, catalogue).regions:
        assert 0 <= box.left < box.right <= columns and 0 <= box.top < box.bottom <= rows
