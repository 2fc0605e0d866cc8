"""DICOM objects for the tests: written by the project's own writer, then changed element by element."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from imaging_cases import AXIAL, TWELVE_BITS, WriteXray, change, origin, picture

from wardround.imaging.labels import write_labels
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.writer import Grey, Plane, write_dx, write_mr


@pytest.fixture
def write_xray(tmp_path: Path) -> WriteXray:
    """Writes `source/<name>.dcm` and returns its SOP instance UID; further keywords become elements."""

    def write(
        name: str,
        patient: str = "P1",
        stored: np.ndarray | None = None,
        grey: Grey = TWELVE_BITS,
        **elements: object,
    ) -> str:
        path = tmp_path / "source" / f"{name}.dcm"
        uid = write_dx(
            path, picture(bits=grey.bits) if stored is None else stored, origin(name, patient), grey
        )
        change(path, **elements)
        return uid

    return write


@pytest.fixture
def write_series(tmp_path: Path) -> Callable[..., str]:
    """Writes `source/<name>/*.dcm`, one slice a file, from [slices, rows, columns]; returns its series UID."""

    def write(
        name: str,
        volume: np.ndarray,
        patient: str = "P1",
        orientation: tuple[float, ...] = AXIAL,
        order: list[int] | None = None,
        gap: float = 5.0,
    ) -> str:
        normal = np.cross(orientation[:3], orientation[3:])
        uid = ""
        for file, place in enumerate(order or range(len(volume))):
            plane = Plane(orientation, tuple(normal * gap * place), gap)
            who = origin(f"{name}/{place}", patient, file + 1, series=name)
            uid = write_mr(
                tmp_path / "source" / name / f"{file:03d}.dcm", volume[place], who, TWELVE_BITS, plane
            )
        return uid

    return write


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., IntakeSettings]:
    """Settings for small images in this process; keywords replace single ones."""
    key = tmp_path / "split.key"
    key.write_bytes(b"0123456789abcdef0123456789abcdef")

    def make(**changes: object) -> IntakeSettings:
        chosen = {
            "labels": ("normal", "opacity"),
            "size": (16, 16),
            "split_key_file": key,
            "workers": 0,
            "burned_in": "ignore",  # what is drawn here is small, and looking takes its time
            **changes,
        }
        return IntakeSettings.model_validate(chosen)

    return make


@pytest.fixture
def label(tmp_path: Path) -> Callable[..., Path]:
    """Writes `labels.csv` from identifier=label pairs under a column."""

    def write(rows: dict[str, str], column: str = "sop_instance") -> Path:
        return write_labels(tmp_path / "labels.csv", column, rows.items())

    return write
