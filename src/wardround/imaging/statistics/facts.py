"""Facts about one file from its header: a few words of bounded vocabularies, nothing that says who it is.

Dates become a year, ages a decade, sizes a band. The names of device models are the one free text; they are
shortened and cleaned, and still belong to the hospital's own report only.
"""

import re
from datetime import date

import numpy as np
from pydantic import BaseModel, ConfigDict
from pydicom.dataset import Dataset

from wardround.imaging.reading.header import text
from wardround.imaging.statistics.vocabulary import NOT_STATED, OTHER, SEXES, VIEWS, clean, vendor

FACT_TAGS = (
    "ViewPosition",
    "ImageOrientationPatient",
    "Manufacturer",
    "ManufacturerModelName",
    "StudyDate",
    "AcquisitionDate",
    "PatientSex",
    "PatientAge",
    "PatientBirthDate",
)
_AGE = re.compile(r"(\d{3})([DWMY])")
_DATE = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)")
_OLDEST = 80
_SIZES = (256, 512, 1024, 2048, 4096)


class Facts(BaseModel):
    """One file's facts, by dimension; each is a word for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modality: str = NOT_STATED
    view: str = NOT_STATED
    scanner: str = NOT_STATED
    year: str = NOT_STATED
    sex: str = NOT_STATED
    age: str = NOT_STATED
    size: str = NOT_STATED
    bits: str = NOT_STATED


DIMENSIONS = tuple(Facts.model_fields)


def facts_of(header: Dataset) -> Facts:
    """The facts of a header that holds FACT_TAGS and the size of the image. Never raises for what a file says."""
    return Facts(
        modality=clean(text(header, "Modality"), 16),
        view=_view(header),
        scanner=_scanner(header),
        year=_year(header),
        sex=SEXES.get(text(header, "PatientSex").upper(), NOT_STATED),
        age=_age(header),
        size=_size(header),
        bits=_bits(header),
    )


def _view(header: Dataset) -> str:
    stated = text(header, "ViewPosition").upper()
    if stated:
        return stated if stated in VIEWS else OTHER
    return _plane(header.get("ImageOrientationPatient"))


def _plane(orientation: object) -> str:
    """The plane of a slice (PS3.3 C.7.6.2.1.1): where its normal points, or oblique if that is more than 25° off."""
    try:
        cosines = np.array(orientation, float)
    # What stands there may be of any type.
    except (TypeError, ValueError):
        return NOT_STATED
    if cosines.shape != (6,):
        return NOT_STATED
    normal = np.abs(np.cross(cosines[:3], cosines[3:]))
    if not np.isfinite(normal).all() or normal.max() == 0:
        return NOT_STATED
    upright = normal.max() / np.linalg.norm(normal) > np.cos(np.radians(25))
    return ("sagittal", "coronal", "axial")[int(normal.argmax())] if upright else "oblique"


def _scanner(header: Dataset) -> str:
    stated = text(header, "Manufacturer")
    maker = vendor(stated) or clean(stated, 24)
    model = clean(text(header, "ManufacturerModelName"), 24)
    return maker if model == NOT_STATED else f"{maker} · {model}"


def _date(header: Dataset, keyword: str) -> date | None:
    found = _DATE.fullmatch(text(header, keyword))
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def _year(header: Dataset) -> str:
    taken = _date(header, "StudyDate") or _date(header, "AcquisitionDate")
    return str(taken.year) if taken else NOT_STATED


def _age(header: Dataset) -> str:
    found = _AGE.fullmatch(text(header, "PatientAge").upper())
    if found:
        years = int(found[1]) if found[2] == "Y" else 0
        return _decade(years)
    born, taken = _date(header, "PatientBirthDate"), _date(header, "StudyDate")
    if born is None or taken is None or taken < born:
        return NOT_STATED
    return _decade(taken.year - born.year - ((taken.month, taken.day) < (born.month, born.day)))


def _decade(years: int) -> str:
    if years >= _OLDEST:
        return f"{_OLDEST} and over"
    return f"{years // 10 * 10}–{years // 10 * 10 + 9}"


def _size(header: Dataset) -> str:
    longest = max(int(header.get(keyword) or 0) for keyword in ("Rows", "Columns"))
    bound = next((bound for bound in _SIZES if longest <= bound), None)
    return f"up to {bound} pixels" if bound else f"over {_SIZES[-1]} pixels"


def _bits(header: Dataset) -> str:
    stored = int(header.get("BitsStored") or 0)
    return f"{stored} bits" if 1 <= stored <= 64 else NOT_STATED
