"""The recipe's schema. Every default in Wardround that a data scientist can change stands here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from wardround.text import is_plain

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LABEL_LENGTH = 64
_MARKUP = '<>[]{}`|\\"&'
# DICOM PS3.5, section 6.2, value representation CS; spaces at its ends mean nothing there.
_MODALITY = r"^[A-Z0-9_](?:[A-Z0-9_ ]{0,14}[A-Z0-9_])?\z"
# Below the recipe's own folder: no part begins with a dot.
_FILE = r"^(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}/){0,4}[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\z"
_FUNCTION = r"^[A-Za-z_][A-Za-z0-9_]{0,99}\z"
_NAME = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"


def parse_duration(value: object) -> object:
    """Turn `90`, `"90s"`, `"30m"`, `"2h"` or `"1d"` into seconds; leave anything else to the validator."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd])\s*", value)
        if not match:
            raise ValueError("a duration is a number with s, m, h or d, such as 90s, 30m, 2h, 1d")
        return float(match[1]) * _UNITS[match[2]]
    return value


def _check_label(label: str) -> str:
    """A label is read by stewards of all hospitals, on terminals and pages."""
    if (
        unicodedata.normalize("NFC", label) != label
        or label != label.strip()
        or not is_plain(label, _LABEL_LENGTH)
    ):
        raise ValueError(
            f"a label has at most {_LABEL_LENGTH} letters, digits, marks and spaces, in Unicode's form NFC: "
            "no controls, nothing invisible, no space at its ends"
        )
    if found := set(label) & set(_MARKUP):
        raise ValueError(f"a label has none of {_MARKUP}, and this one has {''.join(sorted(found))}")
    return label


Duration = Annotated[float, BeforeValidator(parse_duration), Field(gt=0, le=30 * 86400)]
Label = Annotated[str, Field(min_length=1, max_length=_LABEL_LENGTH), AfterValidator(_check_label)]
Modality = Annotated[str, Field(pattern=_MODALITY)]
FileName = Annotated[str, Field(pattern=_FILE)]
FunctionName = Annotated[str, Field(pattern=_FUNCTION)]
Rate = Annotated[float, Field(gt=0, le=1000)]
Distance = Annotated[float, Field(gt=0, le=100)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A part of the recipe: unknown keys are refused, values can't be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)


class Image(Section):
    """What the site's intake makes of the DICOM objects. `size` is [height, width] or [depth, height, width].

    `spacing` (mm; between slices, rows and columns) is of volumes: they are resampled to it, then cropped or padded
    to the size around their middle. Without it a volume is fitted into the size, whatever its extent.
    """

    modality: Annotated[tuple[Modality, ...], Field(min_length=1, max_length=16)] = ("CR", "DX")
    size: Annotated[tuple[Annotated[int, Field(ge=8, le=1024)], ...], Field(min_length=2, max_length=3)] = (
        128,
        128,
    )
    spacing: tuple[Distance, Distance, Distance] | None = None
    bits: Literal[8, 16] = 8

    @model_validator(mode="after")
    def _spacing_is_of_volumes(self) -> Image:
        if self.spacing is not None and len(self.size) != 3:
            raise ValueError("spacing belongs to volumes, size [depth, height, width]")
        return self


class Task(Section):
    kind: Literal["classification"] = "classification"
    labels: Annotated[tuple[Label, ...], Field(min_length=2, max_length=100)]
    image: Image = Image()

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> Task:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must be distinct")
        return self


class FromFile(Section):
    """A Python file and the function in it to call; it runs in the compiler only, never at a hospital."""

    file: FileName
    function: FunctionName = "build"


class Model(Section):
    builtin: Literal["cnn-small", "resnet18-gn", "cnn3d-gn", "logistic"] | None = None
    file: FileName | None = None
    function: FunctionName = "build"
    non_trainable: Literal["refuse", "frozen"] = "refuse"

    @model_validator(mode="after")
    def _one_source(self) -> Model:
        if (self.builtin is None) == (self.file is None):
            raise ValueError("give exactly one of builtin and file")
        return self


class Schedule(Section):
    """The client's learning rate in round r: exponential `rate * factor ** (r // every)`, or cosine to `factor * rate`
    over `every` rounds."""

    kind: Literal["exponential", "cosine"]
    factor: Annotated[float, Field(ge=0, le=1)] = 0.5
    every: Annotated[int, Field(ge=1)] = 10


class ClientOptimizer(Section):
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: Rate = 0.02
    momentum: Fraction = 0.0
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.004
    epochs: Annotated[int, Field(ge=1, le=100)] = 1
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 32
    schedule: Schedule | None = None

    @model_validator(mode="after")
    def _momentum_belongs_to_sgd(self) -> ClientOptimizer:
        if self.momentum and self.optimizer != "sgd":
            raise ValueError(f"momentum belongs to optimizer sgd, not {self.optimizer}")
        return self


class ServerOptimizer(Section):
    optimizer: Literal["sgd", "adam", "yogi", "adagrad"] = "sgd"
    learning_rate: Rate = 1.0
    momentum: Fraction = 0.0

    @model_validator(mode="after")
    def _momentum_belongs_to_sgd(self) -> ServerOptimizer:
        if self.momentum and self.optimizer != "sgd":
            raise ValueError(f"momentum belongs to optimizer sgd, not {self.optimizer}")
        return self


class Algorithm(Section):
    """Which learning process: one of TFF's, by name, or `process`: a file whose function returns any
    `tff.learning.templates.LearningProcess`."""

    name: Literal["fedavg", "fedprox", "fedsgd", "mimelite", "custom"] = "fedavg"
    proximal_strength: Annotated[float, Field(gt=0)] | None = None
    weighting: Literal["examples", "uniform"] = "examples"
    client: ClientOptimizer = ClientOptimizer()
    server: ServerOptimizer = ServerOptimizer()
    process: FromFile | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> Algorithm:
        if (self.name == "fedprox") != (self.proximal_strength is not None):
            raise ValueError("proximal_strength belongs to fedprox, which needs it")
        if (self.name == "custom") != (self.process is not None):
            raise ValueError("process belongs to name: custom, which needs it")
        if self.name == "fedsgd" and (self.client.epochs != 1 or self.weighting != "examples"):
            raise ValueError("fedsgd takes one gradient over all examples: epochs 1, weighting examples")
        if self.client.schedule and self.name not in ("fedavg", "mimelite"):
            raise ValueError(f"TFF has a client schedule for fedavg and mimelite, not for {self.name}")
        if self.client.schedule and self.name == "fedavg" and self.weighting != "examples":
            raise ValueError("TFF's scheduled fedavg weights by examples; leave weighting out")
        return self


class Robust(Section):
    """Zeroing drops absurdly large updates; clipping bounds the norm of each (Andrew et al. 2021 for adaptive)."""

    clip: Literal["adaptive", "none"] | Annotated[float, Field(gt=0)] = "adaptive"
    zero: bool = True


class Aggregation(Section):
    secure: bool = False
    robust: Robust | None = None
    compressed: bool = False

    @model_validator(mode="after")
    def _parts_fit(self) -> Aggregation:
        if self.secure and self.compressed:
            raise ValueError("secure and compressed exclude each other: masked integers do not compress")
        return self


class Privacy(Section):
    kind: Literal["none"] = "none"


class EarlyStop(Section):
    metric: Literal["val_auc", "val_loss", "val_accuracy"] = "val_auc"
    patience: Annotated[int, Field(ge=1)] = 5


class Rounds(Section):
    count: Annotated[int, Field(ge=1, le=100_000)] = 30
    quorum: Annotated[int, Field(ge=1)] = 2
    deadline: Duration = 1800.0
    join_deadline: Duration = 3600.0
    max_failed: Annotated[int, Field(ge=1)] = 3
    early_stop: EarlyStop | None = None


class Evaluation(Section):
    """`per_site` publishes each hospital's own validation figures; with secure aggregation only sums leave."""

    every: Annotated[int, Field(ge=0)] = 1
    positive: str | None = None
    threshold: Literal["youden"] | Annotated[float, Field(gt=0, lt=1)] = "youden"
    per_site: bool | None = None


class Recipe(Section):
    """One training, from task to evaluation. All fields are final: nothing downstream has defaults of its own."""

    name: Annotated[str, Field(pattern=_NAME)]
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    task: Task
    model: Model | None = None
    algorithm: Algorithm = Algorithm()
    aggregation: Aggregation = Aggregation()
    privacy: Privacy = Privacy()
    rounds: Rounds = Rounds()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _parts_fit(self) -> Recipe:
        if self.model is None and self.algorithm.name != "custom":
            raise ValueError("model is missing (only algorithm custom can do without)")
        if self.evaluation.positive is not None and self.evaluation.positive not in self.task.labels:
            raise ValueError(
                f"evaluation.positive is {self.evaluation.positive!r}, legal are the labels {list(self.task.labels)}"
            )
        if self.aggregation.secure and self.evaluation.per_site:
            raise ValueError("aggregation.secure lets only sums leave: evaluation.per_site can't be true")
        volumes = len(self.task.image.size) == 3
        builtin = self.model.builtin if self.model else None
        if builtin not in (None, "logistic") and (builtin == "cnn3d-gn") != volumes:
            raise ValueError(
                "cnn3d-gn takes volumes, size [depth, height, width]; cnn-small and resnet18-gn take [height, width]"
            )
        return self

    @property
    def positive(self) -> int | None:
        """The class whose score is reported: as given, the last of two labels, or None (one against the rest)."""
        if self.evaluation.positive is not None:
            return self.task.labels.index(self.evaluation.positive)
        return 1 if len(self.task.labels) == 2 else None

    @property
    def per_site(self) -> bool:
        """Whether each hospital's own evaluation may be read by the coordinator."""
        if self.evaluation.per_site is None:
            return not self.aggregation.secure
        return self.evaluation.per_site

    @property
    def files(self) -> tuple[str, ...]:
        """The Python files that the recipe names, relative to itself, in order of name."""
        process = self.algorithm.process
        named = (self.model.file if self.model else None, process.file if process else None)
        return tuple(sorted({name for name in named if name is not None}))

    def resolved(self) -> dict[str, Any]:
        """Return the recipe as JSON with every default filled in."""
        return self.model_dump(mode="json")

    def flat(self) -> dict[str, str | int | float | bool]:
        """Return `{"algorithm.client.learning_rate": 0.02, …}` without empty values, for a registry's parameters."""
        return dict(_flatten(self.resolved(), ""))


def _flatten(value: Any, path: str) -> Iterator[tuple[str, str | int | float | bool]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        yield path, ", ".join(str(item) for item in value)
    elif value is not None:
        yield path, value
