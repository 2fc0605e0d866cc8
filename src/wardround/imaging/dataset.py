"""`dataset.json`: what a folder of shards holds, without anything about a patient.

A dataset is a folder: `dataset.json` and TFRecord shards named `<split>-00000-of-00003.tfrecord`.
`dataset.json` is written last and is the commit mark; a folder without it holds no dataset.
"""

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from wardround.errors import ConfigurationError, WardroundError
from wardround.limited import read_limited
from wardround.validation import problems

FORMAT: Literal["wardround.dataset/1"] = "wardround.dataset/1"
FILE_NAME = "dataset.json"
# Of `dataset.json`: a shard takes 200 bytes in it.
MAX_BYTES = 16 << 20

Count = Annotated[int, Field(ge=0)]
Hex256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
StoredDtype = Literal["uint8", "uint16", "float32"]

_SCALES: dict[str, float] = {"uint8": 1 / 255, "uint16": 1 / 65535, "float32": 1.0}
_ITEM_BYTES = {"uint8": 1, "uint16": 2, "float32": 4}


class DatasetError(WardroundError):
    """A dataset folder is missing, damaged, or does not hold what was asked of it."""

    code = "dataset-invalid"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShardFile(_Frozen):
    """One TFRecord file: its record count, its size in bytes and the SHA-256 of the whole file."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+-\d{5}-of-\d{5}\.tfrecord$")]
    count: Count
    bytes: Count
    sha256: Hex256


class SplitInfo(_Frozen):
    """The shards of one split, in order, and how many records each class has (every label listed)."""

    files: tuple[ShardFile, ...]
    counts: dict[str, Count]

    @property
    def count(self) -> int:
        """Records in the split."""
        return sum(file.count for file in self.files)


class DatasetInfo(_Frozen):
    """The validated content of `dataset.json`.

    `shape` is one element's: `(H, W, 1)` or `(D, H, W, 1)`. `dtype` is the stored type, little-endian
    and row-major; multiplied by `scale` it is float32 in [0, 1] (uint8 and uint16; float32 is kept as it is).
    A label's class index is its place in `labels`. `refusals` counts input files by reason code.
    `digest` names the content: SHA-256 of the canonical JSON of all other fields.
    """

    format: Literal["wardround.dataset/1"] = FORMAT
    shape: tuple[Annotated[int, Field(gt=0)], ...]
    dtype: StoredDtype
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    splits: dict[Annotated[str, Field(pattern=r"^[a-z0-9]+$")], SplitInfo]
    refusals: dict[str, Count] = {}
    settings: dict[str, JsonValue] = {}
    digest: Hex256

    @property
    def scale(self) -> float:
        """Factor from stored values to [0, 1]: 1/255 (uint8), 1/65535 (uint16), 1 (float32)."""
        return _SCALES[self.dtype]

    @property
    def element_bytes(self) -> int:
        """Size of one stored image."""
        return math.prod(self.shape) * _ITEM_BYTES[self.dtype]

    def split(self, name: str) -> SplitInfo:
        """The split of that name; raises DatasetError listing the legal names."""
        if name not in self.splits:
            raise DatasetError(
                f"split {name!r} is not in this dataset; legal: {', '.join(sorted(self.splits))}"
            )
        return self.splits[name]

    @classmethod
    def create(cls, **fields: object) -> Self:
        """Builds the record and fills in its digest."""
        draft = cls.model_construct(**{**fields, "digest": "0" * 64})  # type: ignore[arg-type]
        return cls.model_validate({**draft.model_dump(mode="json"), "digest": _digest(draft)})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads and validates `folder/dataset.json`. The shards' bytes are checked when they are read.

        Raises DatasetError if the file is absent, malformed, or does not match its digest.
        """
        path = Path(folder) / FILE_NAME
        if not path.is_file():
            raise DatasetError(f"no {FILE_NAME} in {folder}; run `wardround site preprocess` first")
        try:
            return cls.model_validate_json(read_limited(path, MAX_BYTES, "dataset description"))
        except ConfigurationError as error:
            raise DatasetError(str(error)) from error
        except ValidationError as error:
            raise DatasetError(
                f"{path} is not a valid dataset description: {problems(error, names=False)}"
            ) from None

    def save(self, folder: Path) -> None:
        """Writes `dataset.json` atomically; call it after every shard is in place."""
        part = folder / f".{FILE_NAME}.part"
        part.write_text(json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True) + "\n")
        os.replace(part, folder / FILE_NAME)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels {self.labels} must be unique")
        for name, split in self.splits.items():
            if set(split.counts) != set(self.labels) or sum(split.counts.values()) != split.count:
                raise ValueError(f"split {name!r}: counts by class do not add up to its files' records")
        if self.digest != _digest(self):
            raise ValueError("digest does not match the content; the file was altered")
        self._check_sizes()
        return self

    def _check_sizes(self) -> None:
        # Whoever reads a split asks for the memory of all of its records, so they have to be in its files.
        for split in self.splits.values():
            for file in split.files:
                if file.count * self.element_bytes > file.bytes:
                    raise ValueError(
                        f"{file.name} is too small for {file.count} records of {self.element_bytes} bytes"
                    )


def _digest(info: DatasetInfo) -> str:
    content = info.model_dump(mode="json", exclude={"digest"})
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
