"""Who is held out, and that intervals know which images are of one patient."""

from pathlib import Path

import numpy as np
import pytest

from wardround.errors import RefusedError
from wardround.imaging.intake import preprocess
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.shards import load_split
from wardround.local.patients import patients_of_test_split
from wardround.local.phantoms import HOSPITALS, generate_xray_site
from wardround.local.phantoms_mr import HOSPITALS as SCANNERS
from wardround.local.phantoms_mr import generate_mr_site
from wardround.local.split_keys import keep_split_key


def test_the_key_follows_from_the_seed(tmp_path: Path) -> None:
    for name, seed in (("a", "1/alder"), ("b", "1/alder"), ("c", "2/alder")):
        keep_split_key(tmp_path / name, seed)
    first, again, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == again != other and len(first) == 32


def test_a_key_that_is_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "alder" / "split.key"
    keep_split_key(path, "1/alder")
    first = path.read_bytes()
    keep_split_key(path, "2/alder")
    assert path.read_bytes() == first
    assert path.stat().st_mode & 0o077 == 0


def make_dataset(folder: Path, size: tuple[int, ...]) -> np.ndarray:
    """A hospital's data set; returns its test labels."""
    keep_split_key(folder / "split.key", "1/alder")
    volumes = len(size) == 3
    settings = IntakeSettings(
        labels=("normal", "lesion" if volumes else "opacity"),
        modality=("MR",) if volumes else ("DX",),
        size=size,
        split_key_file=folder / "split.key",
        assignments=folder / "work",
        workers=0,
    )
    preprocess(folder / "dicom", folder / "labels.csv", folder / "set", settings)
    return load_split(folder / "set", "test").labels


def traced(folder: Path, truth: np.ndarray) -> np.ndarray:
    """The patient of every test image of a hospital's data set."""
    given = ("dicom", "labels.csv", "split.key", "work", "set")
    return patients_of_test_split(*(folder / name for name in given), truth)


@pytest.mark.parametrize("size", [(8, 8), (4, 8, 8)])
def test_every_test_image_is_traced_to_its_patient(tmp_path: Path, size: tuple[int, ...]) -> None:
    if len(size) == 3:
        generate_mr_site(tmp_path, SCANNERS[0], 20, 1)
    else:
        generate_xray_site(tmp_path, HOSPITALS[0], 40, 1)
    truth = make_dataset(tmp_path, size)
    found = traced(tmp_path, truth)
    assert len(found) == len(truth)
    assert 1 < len(set(found)) < len(found)


def test_other_images_than_the_data_sets_are_refused(tmp_path: Path) -> None:
    generate_xray_site(tmp_path, HOSPITALS[0], 20, 1)
    truth = make_dataset(tmp_path, (8, 8))
    next((tmp_path / "dicom").glob("*.dcm")).unlink()
    with pytest.raises(RefusedError, match="does not hold the images"):
        for path in list((tmp_path / "dicom").glob("*.dcm"))[:15]:
            path.unlink()
        traced(tmp_path, truth)
