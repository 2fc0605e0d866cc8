"""Who is held out, and that intervals know which images are of one patient."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardround.errors import RefusedError
from wardround.imaging.intake import preprocess
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.shards import load_split
from wardround.imaging.splits import split_of
from wardround.local.patients import patients_of_test_split
from wardround.local.phantoms import HOSPITALS, generate_xray_site
from wardround.local.phantoms_mr import HOSPITALS as SCANNERS
from wardround.local.phantoms_mr import generate_mr_site
from wardround.local.split_keys import FRACTIONS, choose_key, fairness, keep_split_key, labelled_images

patients = st.lists(st.tuples(st.integers(0, 40).map(str), st.sampled_from("ab")), min_size=1, max_size=80)


def test_the_demos_fractions_are_those_of_an_intake() -> None:
    assert IntakeSettings.model_fields["fractions"].default == FRACTIONS


@given(patients)
def test_the_key_follows_from_the_seed(images: list[tuple[str, str]]) -> None:
    assert choose_key("1/alder", images) == choose_key("1/alder", images)
    assert choose_key("1/alder", []) != choose_key("2/alder", [])


@given(patients, st.integers(0, 99))
def test_a_chosen_key_is_as_fair_as_the_first_one(images: list[tuple[str, str]], seed: int) -> None:
    assert fairness(choose_key(f"{seed}", images), images) >= min(
        0.5, fairness(choose_key(f"{seed}", []), images)
    )


def test_with_few_patients_both_labels_are_in_every_split() -> None:
    images = [(str(patient), "rare" if patient < 12 else "common") for patient in range(60)]
    key = choose_key("1/alder", images)
    counts = Counter((split_of(patient, key, FRACTIONS), label) for patient, label in images)
    assert len(counts) == 6


def test_a_key_that_is_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "alder" / "split.key"
    keep_split_key(path, "1/alder", [])
    first = path.read_bytes()
    keep_split_key(path, "2/alder", [])
    assert path.read_bytes() == first
    assert path.stat().st_mode & 0o077 == 0


def make_dataset(folder: Path, size: tuple[int, ...]) -> np.ndarray:
    """A hospital's data set; returns its test labels."""
    keep_split_key(folder / "split.key", "1/alder", labelled_images(folder / "dicom", folder / "labels.csv"))
    volumes = len(size) == 3
    settings = IntakeSettings(
        labels=("normal", "lesion" if volumes else "opacity"),
        modality=("MR",) if volumes else ("DX",),
        size=size,
        split_key_file=folder / "split.key",
        workers=0,
    )
    preprocess(folder / "dicom", folder / "labels.csv", folder / "set", settings)
    return load_split(folder / "set", "test").labels


@pytest.mark.parametrize("size", [(8, 8), (4, 8, 8)])
def test_every_test_image_is_traced_to_its_patient(tmp_path: Path, size: tuple[int, ...]) -> None:
    if len(size) == 3:
        generate_mr_site(tmp_path, SCANNERS[0], 20, 1)
    else:
        generate_xray_site(tmp_path, HOSPITALS[0], 40, 1)
    truth = make_dataset(tmp_path, size)
    found = patients_of_test_split(
        tmp_path / "dicom", tmp_path / "labels.csv", tmp_path / "split.key", tmp_path / "set", truth
    )
    assert len(found) == len(truth)
    assert 1 < len(set(found)) < len(found)


def test_other_images_than_the_data_sets_are_refused(tmp_path: Path) -> None:
    generate_xray_site(tmp_path, HOSPITALS[0], 20, 1)
    truth = make_dataset(tmp_path, (8, 8))
    next((tmp_path / "dicom").glob("*.dcm")).unlink()
    with pytest.raises(RefusedError, match="does not hold the images"):
        for path in list((tmp_path / "dicom").glob("*.dcm"))[:15]:
            path.unlink()
        patients_of_test_split(
            tmp_path / "dicom", tmp_path / "labels.csv", tmp_path / "split.key", tmp_path / "set", truth
        )
