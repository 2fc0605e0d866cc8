"""The detector on pictures with text in them, and on those with none or with the marks of radiographers."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from wardround.imaging.burned_in import Outcome, Rules, Suspicion, blackened, examine
from wardround.imaging.burned_in.network import Line, Reading
from wardround.imaging.burned_in.words import is_harmless
from wardround.imaging.reading.header import quiet

ROOT = Path(__file__).resolve().parents[3]
PSEUDO = ROOT.parent / "shared" / "data" / "deid_pseudophi"
NAME = "LORMAR, Elken"
Ink = float | int


def soft(rows: int = 320, columns: int = 320, seed: int = 3) -> np.ndarray:
    """A picture like a body's: soft shapes and noise in 12 bits, 200 to about 3000."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.random((9, 9)).astype(np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC)
    return np.clip(400 + 2300 * coarse + rng.normal(0, 30, (rows, columns)), 200, 3000).astype(np.uint16)


def write(
    picture: np.ndarray, text: str, ink: Ink, at: tuple[int, int] = (40, 60), scale: float = 0.6
) -> np.ndarray:
    """A copy with text; `at` is (column, row) of its lower left corner."""
    cover = np.zeros(picture.shape, np.uint8)
    cv2.putText(cover, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1, cv2.LINE_AA)
    share = cover.astype(np.float64) / 255
    return (picture * (1 - share) + ink * share).astype(picture.dtype)


def header(modality: str = "CR", **elements: object) -> Dataset:
    """The header of an original image."""
    dataset = Dataset()
    dataset.Modality, dataset.PhotometricInterpretation = modality, "MONOCHROME2"
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def outcome(picture: np.ndarray, **elements: object) -> Outcome:
    """What is said of a picture."""
    return examine(header(**elements), picture, Rules()).outcome  # type: ignore[arg-type]


def test_a_picture_without_text_passes() -> None:
    assert outcome(soft()) is Outcome.PASSED


def test_a_blank_picture_passes() -> None:
    assert outcome(np.full((64, 64), 7, np.int16)) is Outcome.PASSED


@pytest.mark.parametrize("mark", ["L", "R", "AP", "PORTABLE"])
def test_the_marks_of_radiographers_are_harmless(mark: str) -> None:
    assert outcome(write(soft(), mark, 3600, scale=0.9)) is Outcome.PASSED


@pytest.mark.parametrize("ink", [3600, 0])
def test_a_name_is_found_where_it_stands(ink: int) -> None:
    verdict = examine(header(), write(soft(), NAME, ink), Rules())
    assert (verdict.outcome, verdict.reasons) == (Outcome.QUARANTINED, (Suspicion.TEXT,))
    assert any(
        finding.box.left <= 60 <= finding.box.right and 44 <= finding.box.top <= 56
        for finding in verdict.findings
    )


def test_a_no_in_the_header_is_not_believed() -> None:
    assert outcome(write(soft(), NAME, 3600), BurnedInAnnotation="NO") is Outcome.QUARANTINED


def test_text_of_eight_pixels_is_found() -> None:
    assert outcome(write(soft(256, 256), "ID 8273645 LORMAR", 3600, scale=0.32)) is Outcome.QUARANTINED


@pytest.mark.parametrize("turns", [1, 3])
def test_text_that_stands_on_its_end_is_found(turns: int) -> None:
    assert outcome(np.rot90(write(soft(), NAME, 3600), turns)) is Outcome.QUARANTINED


def test_text_at_the_rim_is_found() -> None:
    assert outcome(write(soft(), "12/03/1948", 3600, at=(0, 319))) is Outcome.QUARANTINED


def test_ink_far_above_the_display_window_is_found() -> None:
    plate = np.where(np.arange(320)[:, None] < 100, 3000, soft()).astype(np.uint16)
    assert outcome(write(plate, NAME, 30000)) is Outcome.QUARANTINED


def test_ink_barely_brighter_than_black_is_found() -> None:
    plate = np.where(np.arange(320)[:, None] < 100, 0, soft()).astype(np.uint16)
    assert outcome(write(plate, NAME, 60)) is Outcome.QUARANTINED


def test_coloured_text_is_found() -> None:
    grey = soft() // 16
    painted = np.stack([grey, grey, write(grey, NAME, 255)], axis=-1)
    assert outcome(painted) is Outcome.QUARANTINED


def test_text_in_one_frame_of_many_is_found_near_that_frame() -> None:
    frames = np.stack([soft(256, 256, seed=place) for place in range(30)])
    frames[17] = write(frames[17], NAME, 4095)
    verdict = examine(header("CT"), frames, Rules())
    assert verdict.outcome is Outcome.QUARANTINED
    assert verdict.findings[0].first <= 17 < verdict.findings[0].end


def test_small_text_in_a_large_film_is_found() -> None:
    assert outcome(write(soft(2000, 1800), NAME, 4095, at=(1500, 1200), scale=0.5)) is Outcome.QUARANTINED


def test_text_under_a_known_region_does_not_quarantine() -> None:
    sector = Dataset()
    sector.RegionLocationMinX0, sector.RegionLocationMinY0 = 0, 100
    sector.RegionLocationMaxX1, sector.RegionLocationMaxY1 = 319, 319
    dataset = header("US", SequenceOfUltrasoundRegions=[sector])
    picture = write(soft(), NAME, 3600)
    verdict = examine(dataset, picture, Rules())
    assert verdict.outcome is Outcome.MASKED
    assert (blackened(dataset, picture, verdict.regions)[:100] == picture.min()).all()


def test_a_mosaic_of_slices_is_no_text() -> None:
    rows, columns = np.mgrid[:64, :64]
    heads = (np.hypot((rows - 32) / 24, (columns - 32) / 19) < 1) * np.random.default_rng(1).uniform(
        600, 900, (64, 64)
    )
    assert outcome(np.tile(heads, (6, 6)).astype(np.uint16), Modality="MR") is Outcome.PASSED


def test_large_print_is_found() -> None:
    assert outcome(write(soft(), "LORMAR", 3600, at=(20, 200), scale=2.2)) is Outcome.QUARANTINED


def test_a_catalogued_word_is_harmless_and_its_neighbour_is_not() -> None:
    line = Line(0, 0, 100, 20, 0.9)
    assert is_harmless(line, [Reading("SORTABLE", 0.8)])
    assert not is_harmless(line, [Reading("PORTER", 0.99)])
    assert not is_harmless(line, [Reading("PORTABLE SMITH", 0.99)])
    assert not is_harmless(line, [Reading("", 0.0)])
    assert is_harmless(line._replace(score=0.55), [Reading("", 0.0)])


@pytest.mark.parametrize("place", range(0, 55, 11))
def test_images_with_pseudonymous_text_are_caught(place: int) -> None:
    if not PSEUDO.is_dir():
        pytest.skip(f"{PSEUDO} is not here")
    path = sorted(PSEUDO.glob("*.dcm"))[place]
    assert json.loads(path.with_suffix(".json").read_text())["annotation"]
    with quiet():
        dataset = pydicom.dcmread(path)
        assert examine(dataset, dataset.pixel_array, Rules()).outcome is Outcome.QUARANTINED


def test_rapidocr_itself_is_never_loaded() -> None:
    outcome(soft(64, 64))
    assert "rapidocr" not in sys.modules
