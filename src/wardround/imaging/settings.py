"""What a data steward chooses for an intake."""

import codecs
import math
import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PositiveFloat,
    field_validator,
    model_validator,
)

from wardround.errors import ConfigurationError
from wardround.limited import read_limited

SPLITS = ("train", "validation", "test")
MIN_KEY_BYTES = 16
_MAX_KEY_BYTES = 1 << 16


def available_cpus() -> int:
    """CPUs that this process may run on."""
    return len(os.sched_getaffinity(0))


class IntakeSettings(BaseModel):
    """Settings of one intake; two intakes with equal settings and inputs write equal datasets.

    labels: legal label names; the place in the tuple is the class index.
    modality: DICOM modalities to take; all others are refused and counted.
    size: `(H, W)` for single images, `(D, H, W)` for series that become volumes.
    fractions: shares of patients in train, validation and test.
    split_key_file: file with at least 16 secret bytes; the same key keeps a patient in the same split.
    spacing: of volumes, between slices, rows and columns (mm); None fits the whole volume into the size.
    assignments: folder of the files that remember each patient's split; beside the key if not given.
    label_encoding: of the label table, unless a byte order mark tells.
    bits: 8 stores [0, 1] in 256 steps as uint8, 16 in 65536 steps as uint16.
    workers: processes; 0 works in the calling process (a decoder that crashes then ends it).
    max_bytes: largest decoded image, or volume reduced to the size of its slices, checked before anything is decoded.
    min_slices: series with fewer slices are refused.
    frames: which frame of a multi-frame object becomes the image; "refuse" takes single-frame objects only.
    seconds: longest time that reading a file or decoding a frame may take; workers give up what takes longer.
    burned_in: "quarantine" keeps what may show who the patient is waiting for a person; "ignore" looks at nothing.
    quarantine: the work folder in whose folder `quarantine` it waits; None stands for the dataset's own folder.
    devices: the hospital's own catalogue of devices that write into their images.
    harmless_words: further words that may stand in an image.
    follow_links: follow symbolic links below the source, wherever they lead; else they are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    size: tuple[Annotated[int, Field(ge=1, le=8192)], ...]
    split_key_file: Path
    assignments: Path | None = None
    label_encoding: str = "utf-8"
    modality: Annotated[tuple[str, ...], Field(min_length=1)] = ("CR", "DX")
    spacing: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2)
    bits: Literal[8, 16] = 8
    shard_size: Annotated[int, Field(ge=1)] = 2048
    max_bytes: Annotated[int, Field(ge=1)] = 512 << 20
    min_slices: Annotated[int, Field(ge=1)] = 4
    frames: Literal["middle", "refuse"] = "middle"
    seconds: Annotated[float, Field(gt=0)] = 20.0
    burned_in: Literal["quarantine", "ignore"] = "quarantine"
    quarantine: Path | None = None
    devices: Path | None = None
    harmless_words: tuple[str, ...] = ()
    follow_links: bool = False
    workers: Annotated[int, Field(ge=0)] = Field(default_factory=available_cpus)

    @property
    def is_volume(self) -> bool:
        """Whether series become volumes."""
        return len(self.size) == 3

    @property
    def dtype(self) -> Literal["uint8", "uint16"]:
        """The stored dtype."""
        return "uint8" if self.bits == 8 else "uint16"

    @property
    def assignment_folder(self) -> Path:
        """Where patients' splits are remembered."""
        return self.split_key_file.parent if self.assignments is None else self.assignments

    def for_dataset(self, out: Path) -> Self:
        """The settings with a place for quarantine: the dataset's folder, if no other was chosen."""
        return self if self.quarantine else self.model_copy(update={"quarantine": out})

    def split_key(self) -> bytes:
        """The secret bytes; raises ConfigurationError if the file is absent or too short."""
        key = read_limited(self.split_key_file, _MAX_KEY_BYTES, "split key")
        if len(key) < MIN_KEY_BYTES:
            raise ConfigurationError(
                f"split key {self.split_key_file} has {len(key)} bytes; legal: {MIN_KEY_BYTES} or more. "
                f"Make one with: head -c 32 /dev/urandom > {self.split_key_file}"
            )
        return key

    def described(self) -> dict[str, JsonValue]:
        """The settings that shape the output, for `dataset.json`: no path, no secret, no worker count."""
        own = {
            "split_key_file",
            "assignments",
            "label_encoding",
            "workers",
            "quarantine",
            "devices",
            "follow_links",
        }
        return dict(self.model_dump(mode="json", exclude=own))

    @field_validator("label_encoding")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            return codecs.lookup(name).name
        except LookupError as error:
            raise ValueError(
                f"label_encoding {name!r} is not known; legal are utf-8, cp1252, latin-1 …"
            ) from error

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if len(self.size) not in (2, 3):
            raise ValueError(f"size {list(self.size)} is not legal; give [H, W] or [D, H, W]")
        if self.spacing and not self.is_volume:
            raise ValueError(f"spacing belongs to volumes, size [D, H, W], not to {list(self.size)}")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels {list(self.labels)} must be unique")
        if min(self.fractions) < 0 or not math.isclose(sum(self.fractions), 1, abs_tol=1e-6):
            raise ValueError(f"fractions {list(self.fractions)} must be 0 or more and add up to 1")
        return self
