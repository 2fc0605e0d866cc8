"""The words and numbers that a manifest may consist of: each has a strict pattern and a bound.

A manifest is written by somebody else, and what stands in it reaches terminals, file names, graphs and sizes of
arrays. So a field takes what the compiler writes, and nothing that merely parses.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from wardround.text import foreign

MAX_RANK = 8
MAX_ELEMENTS = 2**29  # of one tensor, and of all in one list: 2 GiB of float32
MAX_LEAVES = 10_000  # in one list
MAX_GRAPH_BYTES = 1 << 30
MAX_GRAPHS_BYTES = 2 << 30  # of all graphs of a plan
_MAX_SECURE = 2**62  # so that sums of two stay within an integer of 64 bits

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/>-]{0,199}", re.ASCII)
# What TensorFlow takes for a node (tensorflow/core/framework/node_def_util.cc), and an output of one.
_NODE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]{0,499}", re.ASCII)
_TENSOR = re.compile(rf"{_NODE.pattern}:[0-9]{{1,5}}", re.ASCII)

Dtype = Literal[
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")]
Side = Annotated[int, Field(ge=0, le=MAX_ELEMENTS)]


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"the name '{foreign(text, 60)}' is not legal: letters, digits and _ . : / > -, first none of . : / > -, "
            "at most 200"
        )
    return text


def _node(text: str) -> str:
    if text and not _NODE.fullmatch(text):
        raise ValueError(f"'{foreign(text, 60)}' can't be the name of a node of a TensorFlow graph")
    return text


def _tensor(text: str) -> str:
    if not _TENSOR.fullmatch(text):
        raise ValueError(f"'{foreign(text, 60)}' can't be the name of a tensor of a TensorFlow graph")
    return text


def _optional_tensor(text: str) -> str:
    return _tensor(text) if text else text


def _small(shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    if elements(shape) > MAX_ELEMENTS:
        raise ValueError(f"a tensor {list(shape)} has too many elements; legal are {MAX_ELEMENTS}")
    return shape


def elements(shape: tuple[int | None, ...]) -> int:
    """How many elements a tensor has; a side that is open counts as one."""
    return math.prod(1 if side is None else side for side in shape)


Name = Annotated[str, AfterValidator(_name)]
Node = Annotated[str, AfterValidator(_node)]  # or none
TensorName = Annotated[str, AfterValidator(_tensor)]
OptionalTensorName = Annotated[str, AfterValidator(_optional_tensor)]
Shape = Annotated[tuple[Side, ...], Field(max_length=MAX_RANK), AfterValidator(_small)]
OpenShape = Annotated[tuple[Side | None, ...], Field(max_length=MAX_RANK), AfterValidator(_small)]
Version = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}\z")]
Bits = Annotated[int, Field(ge=1, le=62)]
Largest = Annotated[int, Field(ge=1, lt=_MAX_SECURE)]
Modulus = Annotated[int, Field(ge=2, le=_MAX_SECURE)]
