"""The attributes of a graph's nodes: on the allow-list of their operation, of the declared kind, and bounded.

What an attribute may hold is said by TensorFlow's own definition of the operation (`OpDef`); which attributes there may
be at all, by `operations`. A note that TensorFlow leaves on nodes is removed from what runs; anything else is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from wardround.plan import graph_limits as limits
from wardround.plan.graph_errors import forbidden, malformed, oversized
from wardround.plan.operations import FOR_LOWERING, LOWERABLE, NOTES
from wardround.text import foreign

_FIELD = {
    "string": "s",
    "int": "i",
    "float": "f",
    "bool": "b",
    "type": "type",
    "shape": "shape",
    "tensor": "tensor",
    "func": "func",
}
_NOTES_ON_REFERENCES = NOTES | {"_tf_data_function"}
_SEEDS = ("seed", "seed2")
_TEXT = re.compile(rb"[\x20-\x7e]*")
# A reference, a quantized or an 8-bit float type is in no model; a handle in a constant would be another graph's.
_TYPES = frozenset(
    getattr(tf, name).as_datatype_enum
    for name in [
        "float16",
        "bfloat16",
        "float32",
        "float64",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "bool",
        "string",
        "complex64",
        "complex128",
        "resource",
        "variant",
    ]
)
_HANDLES = frozenset((tf.resource.as_datatype_enum, tf.variant.as_datatype_enum))


@dataclass
class Budget:
    """Bytes that the constants of a graph will take in memory, how many of them a file's few bytes only claim, and the
    inputs, arguments and entries of lists in it."""

    constants: int = 0
    repeated: int = 0
    entries: int = 0

    def spend(self, part: str, entries: int) -> None:
        """Notes what is about to be looked at one by one. Raises RefusedError (`oversized`)."""
        self.entries += entries
        if self.entries > limits.MAX_ENTRIES:
            raise oversized(part, f"more than {limits.MAX_ENTRIES} inputs, arguments and entries of lists")


def reduce_attributes(part: str, node: Any, allowed: frozenset[str], budget: Budget) -> list[str]:
    """Checks a node's attributes and removes TensorFlow's notes; returns the functions that it refers to.

    Raises RefusedError: `forbidden-operation`, `malformed`, `oversized`.
    """
    references: list[str] = []
    kinds = _kinds(node.op)
    for name in [*node.attr]:
        value = node.attr[name]
        if name in NOTES or _is_default(node.op, name, value, allowed):
            check_note(part, node.op, value)
            del node.attr[name]
        elif name in FOR_LOWERING and node.op in LOWERABLE:
            _check_kind(part, node, name, value, FOR_LOWERING[name])
        elif name in allowed:
            _check_kind(part, node, name, value, kinds[name])
            references += _check_values(part, node, name, value, budget)
        else:
            raise forbidden(part, node.op, f"has an attribute that no plan may set: {_said(name)}")
    return references


def reduce_call(part: str, node: Any) -> None:
    """The same for a node whose operation is a function of the plan: it may have notes, and nothing to fill in."""
    for name in [*node.attr]:
        if name not in NOTES:
            raise forbidden(part, node.op, f"fills in an attribute of a function: {_said(name)}")
        check_note(part, node.op, node.attr[name])
        del node.attr[name]


def check_note(part: str, operation: str, value: Any) -> None:
    """A note, which is removed, names no function all the same. Raises RefusedError (`forbidden-operation`)."""
    if value.WhichOneof("value") in ("func", "placeholder") or value.list.func:
        raise forbidden(part, operation, "names a function in a note")


@cache
def _kinds(operation: str) -> dict[str, str]:
    return {attribute.name: attribute.type for attribute in op_def_registry.get(operation).attr}


@cache
def _defaults(operation: str) -> dict[str, bytes]:
    definition = op_def_registry.get(operation)
    return {
        attribute.name: attribute.default_value.SerializeToString(deterministic=True)
        for attribute in definition.attr
        if attribute.HasField("default_value")
    }


def _is_default(operation: str, name: str, value: Any, allowed: frozenset[str]) -> bool:
    """Whether an attribute that no plan may set says only what is so without it."""
    if name in allowed:
        return False
    return _defaults(operation).get(name) == value.SerializeToString(deterministic=True)


def _check_kind(part: str, node: Any, name: str, value: Any, kind: str) -> None:
    """TensorFlow replaces a placeholder by what a caller fills in, and takes a function where a list has one."""
    inner = kind.removeprefix("list(").removesuffix(")")
    if kind == inner:
        right = value.WhichOneof("value") == _FIELD[kind]
    else:
        present = {descriptor.name for descriptor, _ in value.list.ListFields()}
        right = value.WhichOneof("value") == "list" and present <= {_FIELD[inner]}
    if not right:
        raise forbidden(part, node.op, f"has an attribute {_said(name)} that is no {kind}")


def _check_values(part: str, node: Any, name: str, value: Any, budget: Budget) -> Iterator[str]:
    kind = value.WhichOneof("value")
    count = sum(len(entries) for _, entries in value.list.ListFields())
    if count > limits.MAX_LIST:
        raise oversized(part, f"attribute {_said(name)} has {count} entries, legal are {limits.MAX_LIST}")
    budget.spend(part, count)
    for field_name, entry in _entries(value):
        if field_name == "func":
            if not entry.attr.keys() <= _NOTES_ON_REFERENCES:
                raise forbidden(part, node.op, "fills in an attribute of a function that it names")
            for note in entry.attr.values():
                check_note(part, node.op, note)
            entry.ClearField("attr")
            yield entry.name
        else:
            _CHECKS[field_name](part, node, name, entry)
    if kind == "tensor":
        _check_constant(part, node, value.tensor, budget)


def _entries(value: Any) -> list[tuple[str, Any]]:
    kind = value.WhichOneof("value")
    if kind != "list":
        return [(kind, getattr(value, kind))]
    return [(descriptor.name, entry) for descriptor, entries in value.list.ListFields() for entry in entries]


def _check_text(part: str, node: Any, name: str, text: bytes) -> None:
    if len(text) > limits.MAX_TEXT or not _TEXT.fullmatch(text):
        raise malformed(part, f"attribute {_said(name)} of {node.op} is no short plain text")


def _check_integer(part: str, node: Any, name: str, number: int) -> None:
    if abs(number) > limits.MAX_INTEGER and name not in _SEEDS:
        raise malformed(part, f"attribute {_said(name)} of {node.op} is {number}")


def _check_type(part: str, node: Any, name: str, number: int) -> None:
    if number not in _TYPES:
        raise forbidden(part, node.op, f"asks for values of type {number}, which no plan has")


def _check_shape(part: str, node: Any, name: str, shape: Any) -> None:
    # Counted before it is read: a shape of a million sides is one entry.
    sides = [dimension.size for dimension in shape.dim[: limits.MAX_RANK + 1]]
    if len(sides) > limits.MAX_RANK or any(side < -1 for side in sides):
        raise malformed(part, f"attribute {_said(name)} of {node.op} is no shape")
    if math.prod(side for side in sides if side > 0) > limits.MAX_ELEMENTS:
        raise oversized(part, f"a shape of {node.op} has more than {limits.MAX_ELEMENTS} elements")


def _nothing(part: str, node: Any, name: str, value: Any) -> None:
    return None


_CHECKS: dict[str, Callable[[str, Any, str, Any], None]] = {
    "s": _check_text,
    "i": _check_integer,
    "f": _nothing,
    "b": _nothing,
    "type": _check_type,
    "shape": _check_shape,
    "tensor": _nothing,  # by _check_constant, which counts
}


def _check_constant(part: str, node: Any, tensor: Any, budget: Budget) -> None:
    """A constant's type, its size in memory, and no handle of anything outside of the graph."""
    if tensor.dtype in _HANDLES or tensor.dtype not in _TYPES:
        raise forbidden(part, node.op, f"holds a constant of type {tensor.dtype}")
    if tensor.resource_handle_val or tensor.variant_val or tensor.version_number:
        raise forbidden(part, node.op, "holds a handle in a constant")
    _check_shape(part, node, "value", tensor.tensor_shape)
    if tensor.tensor_shape.unknown_rank or any(side.size < 0 for side in tensor.tensor_shape.dim):
        raise malformed(part, f"a constant of {node.op} has no fixed shape")
    claimed = math.prod(side.size for side in tensor.tensor_shape.dim) * _width(tensor.dtype)
    budget.constants += claimed
    budget.repeated += max(claimed - tensor.ByteSize(), 0)
    if budget.constants > limits.MAX_CONSTANT_BYTES or budget.repeated > limits.MAX_REPEATED_BYTES:
        raise oversized(part, f"its constants take more than {limits.MAX_CONSTANT_BYTES} bytes in memory")


@cache
def _width(datatype: int) -> int:
    """Bytes of one element in memory; a string's own characters come on top, and are in the file."""
    dtype = tf.dtypes.as_dtype(datatype)
    return 24 if dtype == tf.string else int(dtype.size)


def _said(name: str) -> str:
    return repr(foreign(name, 60))
