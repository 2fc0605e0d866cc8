"""`statistics.json`: counts of what went into a dataset. It lies beside `dataset.json` and stays in the hospital."""

import os
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wardround.errors import ConfigurationError
from wardround.limited import read_limited

FILE_NAME = "statistics.json"
# The dimension without values: counts by split and label alone.
ALL = "all"
# Cells are as many as scanners, labels and splits allow, 100 bytes each.
_MAX_BYTES = 64 << 20

Count = Annotated[int, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cell(_Frozen):
    """Images (or volumes) with a value in a split under a label, and patients.

    In every dimension each patient is counted in one cell: at the rarest of its labels and its most frequent value.
    So the patients of all cells add up; a cell may have images and no patient.
    """

    value: str
    split: str
    label: str
    images: Count
    patients: Count


class Statistics(_Frozen):
    """`cells` by dimension (ALL, view, scanner, …); `rows`: the label table's rows by fate; `refusals`: files by reason;
    `quarantine`: files that wait for a person, by reason, which are among the refused ones or not found by the intake.

    dataset: digest of the dataset beside it. unit: what an item is.
    """

    format: Literal["wardround.statistics/1"] = "wardround.statistics/1"
    dataset: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    unit: Literal["image", "volume"]
    labels: tuple[str, ...]
    splits: tuple[str, ...]
    cells: dict[str, tuple[Cell, ...]]
    files: Count
    rows: dict[str, Count] = {}
    refusals: dict[str, Count] = {}
    quarantine: dict[str, Count] = {}

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads `folder/statistics.json`; raises ConfigurationError."""
        path = folder / FILE_NAME
        if not path.exists():
            raise ConfigurationError(f"no {FILE_NAME} in {folder}; run `wardround site preprocess` first")
        try:
            return cls.model_validate_json(read_limited(path, _MAX_BYTES, "file of statistics"))
        except ValidationError as error:
            raise ConfigurationError(f"{path} was altered; run the preprocessing again") from error

    def save(self, folder: Path) -> None:
        """Writes `folder/statistics.json` atomically."""
        part = folder / f".{FILE_NAME}.part"
        part.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        os.replace(part, folder / FILE_NAME)

    def images(self, dimension: str = ALL) -> Counter[tuple[str, str, str]]:
        """Images by value, split and label."""
        return Counter({(c.value, c.split, c.label): c.images for c in self.cells[dimension]})

    def patients(self, dimension: str = ALL) -> Counter[tuple[str, str, str]]:
        """Patients by value, split and label, each counted once."""
        return Counter({(c.value, c.split, c.label): c.patients for c in self.cells[dimension]})
