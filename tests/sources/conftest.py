"""A hospital: DICOM files of many patients, their labels, and an archive that holds them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest

from wardround.imaging.labels import write_labels
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.sources.prepare import Order
from wardround.imaging.sources.settings import image_source
from wardround.imaging.writer import Grey, Origin, write_dx

from .orthanc import PASSWORD, USER, Orthanc

PATIENTS = 20
STUDIES = 40
NAME = "GEHEIM^NAME"


@dataclass(frozen=True)
class Hospital:
    """`files` holds a file a study; `studies` are their UIDs, in order; `labels` names all of them."""

    folder: Path
    files: Path
    labels: Path
    studies: tuple[str, ...]


@pytest.fixture(scope="session")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    """Forty studies of twenty patients, one image each, every other one compressed; a fourth are of the hand."""
    folder = tmp_path_factory.mktemp("hospital")
    rng = np.random.default_rng(7)
    studies, rows = [], []
    for index in range(STUDIES):
        path = folder / "files" / f"{index:03d}.dcm"
        stored = rng.integers(0, 4096, (64, 48)).astype(np.uint16)
        who = Origin(f"P{index % PATIENTS}", NAME, f"s{index}", f"r{index}", f"i{index}")
        write_dx(path, stored, who, Grey(12, compression="jpeg-ls" if index % 2 else "none"))
        dataset = pydicom.dcmread(path)
        dataset.AccessionNumber = f"A {index}/{'x' * (index % 3)}"
        dataset.StudyDate = f"20{10 + index // 4:02d}0615"
        dataset.StudyDescription = "Hand right" if index % 4 == 0 else "Thorax p.a."
        dataset.BodyPartExamined = "HAND" if index % 4 == 0 else "CHEST"
        dataset.save_as(path)
        studies.append(str(dataset.StudyInstanceUID))
        rows.append((str(dataset.AccessionNumber), ("normal", "opacity")[index % 3 == 0]))
    labels = write_labels(folder / "labels.csv", "accession", rows)
    return Hospital(folder, folder / "files", labels, tuple(studies))


@pytest.fixture(scope="session")
def filled(hospital: Hospital, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An archive with the hospital's studies, which tests only read from."""
    with Orthanc(tmp_path_factory.mktemp("orthanc")) as archive:
        archive.store(sorted(hospital.files.iterdir()))
        yield archive


@pytest.fixture(autouse=True)
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The credentials file of the archive's user."""
    path = tmp_path / "source.json"
    path.write_text(json.dumps({"user": USER, "password": PASSWORD}))
    monkeypatch.setenv("WARDROUND_SOURCE_CREDENTIALS_FILE", str(path))
    return path


@pytest.fixture
def settings(tmp_path: Path) -> IntakeSettings:
    """An intake of small images, in this process."""
    key = tmp_path / "split.key"
    key.write_bytes(b"0123456789abcdef0123456789abcdef")
    return IntakeSettings(labels=("normal", "opacity"), size=(16, 16), split_key_file=key, workers=0)


@pytest.fixture
def order(tmp_path: Path, hospital: Hospital, settings: IntakeSettings) -> Callable[..., Order]:
    """An order for a dataset from an address; further keywords are fields of the source."""

    def make(address: str, out: str = "out", labels: Path | None = None, **chosen: object) -> Order:
        patience = {} if address.startswith("/") else {"outage_s": 20}
        source = image_source(address, {**patience, **chosen})
        return Order(source, labels or hospital.labels, tmp_path / out, tmp_path / "incoming", settings)

    return make
