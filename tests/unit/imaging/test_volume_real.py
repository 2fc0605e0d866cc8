"""Series and enhanced objects of real scanners, where they are at hand: nothing of them is kept."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from imaging_cases import Settings
from volume_cases import items_of, reasons, scan, volume_of

from wardround.imaging.reading.header import quiet

SHARED = Path(__file__).parents[4] / "shared" / "data"
PSEUDO = SHARED / "deid_pseudophi"
TORTURE = SHARED / "dicom_torture" / "files"

Prostate = Callable[[set[int] | None], Path]


@pytest.fixture
def prostate(tmp_path: Path) -> Prostate:
    """The slices of the MR series with these instance numbers (None: all that there are), as one series."""
    paths = sorted(PSEUDO.glob("*.dcm"))
    if not paths:
        pytest.skip("shared/data/deid_pseudophi is not on this machine")

    def write(wanted: set[int] | None) -> Path:
        folder = tmp_path / "series"
        folder.mkdir()
        with quiet():
            for path in paths:
                dataset = pydicom.dcmread(path)
                if dataset.Modality == "MR" and (wanted is None or dataset.InstanceNumber in wanted):
                    # The collection gives every file a series of its own.
                    dataset.SeriesInstanceUID = "1.2.3"
                    dataset.save_as(folder / path.name)
        return folder

    return write


@pytest.fixture
def torture(tmp_path: Path) -> Callable[[str], Path]:
    """A folder with a link to one of the difficult files."""

    def link(name: str) -> Path:
        (path,) = TORTURE.glob(f"*{name}") or (None,)
        if path is None:
            pytest.skip("shared/data/dicom_torture is not on this machine")
        folder = tmp_path / "one"
        folder.mkdir()
        shutil.copy(path, folder)
        return folder

    return link


def test_a_series_with_slices_lost_in_seven_places_is_refused(prostate: Prostate, settings: Settings) -> None:
    chosen = settings(size=(24, 64, 64), modality=("MR",))
    items, refused = items_of(scan(prostate(None), chosen), chosen)
    assert not items and reasons(refused) == {"series-slice-missing": 53}


@pytest.mark.parametrize("spacing", [None, (3.0, 2.0, 2.0)])
def test_an_unbroken_run_of_its_slices_is_a_volume(
    prostate: Prostate, settings: Settings, spacing: tuple[float, ...] | None
) -> None:
    volume = volume_of(
        prostate(set(range(21, 37))), settings(size=(8, 64, 64), modality=("MR",), spacing=spacing)
    )
    assert volume.values.std() > 0.1 and volume.affine is not None
    steps = np.linalg.norm(volume.affine[:3, :3], axis=0)
    # 16 slices of 1.5 mm, 256 pixels of 0.664 mm.
    np.testing.assert_allclose(steps, spacing or (3.0, 256 * 0.6640625 / 64, 256 * 0.6640625 / 64))
    # Axial: slices to the head, rows to the back, columns to the left.
    assert np.argmax(volume.affine[:3, :3], axis=0).tolist() == [2, 1, 0]


def test_an_enhanced_object_of_a_real_scanner_is_a_volume(
    torture: Callable[[str], Path], settings: Settings
) -> None:
    folder = torture("dcm_qa_enh_6_3.dcm")
    chosen = settings(size=(6, 64, 64), modality=("MR",))
    (found,) = scan(folder, chosen)
    assert len(found.slices) == 6
    # The file as the standard's own attributes describe it, read without Wardround's code.
    with quiet():
        dataset = pydicom.dcmread(next(folder.iterdir()))
        stored = dataset.pixel_array.astype(float)
    groups = dataset.PerFrameFunctionalGroupsSequence
    corners = [np.array(group.PlanePositionSequence[0].ImagePositionPatient, float) for group in groups]
    volume = volume_of(folder, chosen)
    # A voxel's brightness follows its stored value wherever it was turned to: the ranks agree.
    assert volume.affine is not None
    first = np.linalg.solve(volume.affine, [*corners[0], 1])[:3]
    slice_, row, column = np.rint(first).astype(int)
    np.testing.assert_allclose(first, [slice_, row, column], atol=1e-3)
    assert {row, column} <= {0, 63} and slice_ in (0, 5)
    shown = volume.values[slice_]
    shown = shown[:: 1 if row == 0 else -1, :: 1 if column == 0 else -1]
    assert np.corrcoef(shown.ravel(), stored[0].ravel())[0, 1] > 0.99


@pytest.mark.parametrize("name", ["dcm_qa_12bit_12bitSigned_0x0F0F.dcm", "dcm_qa_ts_3.dcm"])
def test_a_mosaic_is_refused_by_name(torture: Callable[[str], Path], settings: Settings, name: str) -> None:
    chosen = settings(size=(6, 64, 64), modality=("MR",))
    _, refused = items_of(scan(torture(name), chosen), chosen)
    assert reasons(refused) == {"series-mosaic": 1}


def test_difficult_objects_are_read_or_have_a_reason(settings: Settings) -> None:
    if not TORTURE.is_dir():
        pytest.skip("shared/data/dicom_torture is not on this machine")
    chosen = settings(size=(6, 64, 64), modality=("MR", "CT", "PT", "SEG", "NM"))
    items, refused = items_of(scan(TORTURE, chosen), chosen)
    assert sum(len(item.paths) for item in items) + len(refused) == len(list(TORTURE.iterdir()))
