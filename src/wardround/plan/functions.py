"""The functions of a graph: only the plan's own, each with a fixed signature, calling each other without a circle.

TensorFlow finds a function by its name, in the graph's library and then among its own operations. So a name that is an
operation's could mean either, and is refused; so is every reference that the library does not answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from tensorflow.python.framework import op_def_registry

from wardround.plan import graph_limits as limits
from wardround.plan.attributes import Budget, check_note
from wardround.plan.graph_errors import forbidden, malformed, oversized
from wardround.plan.names import is_function_name, is_input_name

# Calls in a function's body, or in the graph itself: function → how often it is named.
Calls = Counter[str]
_KEPT_ATTRIBUTES = frozenset(
    ("_tf_data_function",)
)  # without it TensorFlow would optimize it as another kind
_SIGNATURE = frozenset(("name", "input_arg", "output_arg", "control_output", "is_stateful"))
_ARGUMENT = frozenset(("name", "type"))
_NOTES_ON_ARGUMENTS = ("description", "handle_data", "experimental_full_type")


@dataclass(frozen=True)
class Size:
    """What nodes cost, as they stand or with each call replaced: `names` are those of nodes and of their inputs."""

    nodes: int
    names: int
    bytes: int

    def plus(self, other: Size, times: int, prefix: int) -> Size:
        """With a body put in `times`, every name in it made longer by `prefix`. Capped: 26 functions that call each
        other twice have more nodes than a float counts."""
        return Size(
            min(self.nodes + times * other.nodes, limits.MAX_NODES + 1),
            min(self.names + times * other.names, limits.MAX_ENTRIES + 1),
            min(self.bytes + times * (other.bytes + other.names * prefix), _MANY),
        )


_MANY = 1 << 50


@dataclass(frozen=True)
class Body:
    """The nodes of a graph or function: their size, the longest of their names, and what they call."""

    size: Size
    longest: int
    calls: Calls

    @classmethod
    def of(cls, nodes: Sequence[Any], calls: Calls) -> Body:
        """Of nodes whose names and inputs were checked."""
        names = len(nodes) + sum(len(node.input) for node in nodes)
        size = Size(len(nodes), names, sum(node.ByteSize() for node in nodes))
        return cls(size, max((len(node.name) for node in nodes), default=0), calls)


def check_library(part: str, library: Any, budget: Budget) -> None:
    """Raises RefusedError for names that are taken, for functions with types to be filled in, and for gradients."""
    if library.gradient or library.registered_gradients:
        raise forbidden(part, "gradient", "is defined anew by the plan")
    names = [function.signature.name for function in library.function]
    if len(set(names)) != len(names):
        raise malformed(part, "two of its functions have one name")
    for function in library.function:
        budget.spend(part, _entries(function))
        _check_name(part, function.signature.name)
        _reduce(part, function)


def _entries(function: Any) -> int:
    signature = function.signature
    own = (signature.input_arg, signature.output_arg, signature.control_output, signature.attr)
    maps = (
        function.attr,
        function.arg_attr,
        function.resource_arg_unique_id,
        function.ret,
        function.control_ret,
    )
    return sum(map(len, (*own, *maps))) + sum(len(argument.attr) for argument in function.arg_attr.values())


def _check_name(part: str, name: str) -> None:
    if not is_function_name(name):
        raise malformed(part, "a function's name is none that TensorFlow gives")
    if op_def_registry.get(name) is not None:
        raise forbidden(part, name, "is defined as a function, in place of TensorFlow's own operation")


def _reduce(part: str, function: Any) -> None:
    """Leaves of a function its signature, its body and what it returns."""
    signature, name = function.signature, function.signature.name
    for argument in [*signature.input_arg, *signature.output_arg]:
        for note in _NOTES_ON_ARGUMENTS:
            argument.ClearField(note)
        if not _fields(argument) <= _ARGUMENT or not is_input_name(argument.name):
            raise forbidden(part, name, "is a function whose types a caller fills in")
    signature.ClearField("description")
    signature.ClearField("summary")
    if not _fields(signature) <= _SIGNATURE:
        raise forbidden(part, name, "is a function whose attributes a caller fills in")
    _remove_notes(part, function)
    _check_returns(part, function)


def _remove_notes(part: str, function: Any) -> None:
    for note, value in [*function.attr.items()]:
        check_note(part, function.signature.name, value)
        if note not in _KEPT_ATTRIBUTES:
            del function.attr[note]
    for argument in function.arg_attr.values():
        for value in argument.attr.values():
            check_note(part, function.signature.name, value)
    function.ClearField("arg_attr")
    function.ClearField("resource_arg_unique_id")


def _check_returns(part: str, function: Any) -> None:
    """What a function returns is its own: an output of one of its nodes, or one of its arguments."""
    nodes = {node.name for node in function.node_def}
    values = nodes | {argument.name for argument in function.signature.input_arg}
    own = all(is_input_name(name) and name.partition(":")[0] in values for name in function.ret.values())
    if not own or not nodes.issuperset(function.control_ret.values()):
        raise malformed(part, "a function returns what is none of its own tensors")


def _fields(message: Any) -> set[str]:
    return {descriptor.name for descriptor, _ in message.ListFields()}


def check_calls(part: str, top: Body, bodies: Mapping[str, Body]) -> None:
    """Checks what calls what, `top` being the graph itself.

    Raises RefusedError: `forbidden-operation` for a function that is not there or calls itself, however indirectly;
    `oversized` when the graph with every call replaced by its function is too large, or calls are too deep. TensorFlow
    replaces them when the graph is lowered, which is before anybody approves it: a plan of a few megabytes must not
    become many gigabytes there.
    """
    sizes, depths = _sizes(part, bodies)
    _check_known(part, top.calls, bodies)
    total = _with_calls(top, sizes)
    if total.nodes > limits.MAX_NODES:
        raise oversized(part, f"{total.nodes} nodes with all calls replaced, legal are {limits.MAX_NODES}")
    if total.names > limits.MAX_ENTRIES:
        raise oversized(
            part, f"more than {limits.MAX_ENTRIES} names of nodes and inputs with all calls replaced"
        )
    if total.bytes - _written(top, bodies) > limits.MAX_EXPANSION_BYTES:
        raise oversized(part, f"replacing calls adds more than {limits.MAX_EXPANSION_BYTES} bytes to it")
    if max((depths[name] for name in top.calls), default=0) > limits.MAX_CALL_DEPTH:
        raise oversized(part, f"functions call each other more than {limits.MAX_CALL_DEPTH} deep")


def _written(top: Body, bodies: Mapping[str, Body]) -> int:
    return top.size.bytes + sum(body.size.bytes for body in bodies.values())


def _with_calls(body: Body, sizes: Mapping[str, Size]) -> Size:
    size = body.size
    for name, count in body.calls.items():
        size = size.plus(sizes[name], count, body.longest + 1)
    return size


def _sizes(part: str, bodies: Mapping[str, Body]) -> tuple[dict[str, Size], dict[str, int]]:
    """Each function with its calls replaced, and how deep they go; callees before callers."""
    sizes: dict[str, Size] = {}
    depths: dict[str, int] = {}
    for name in _callees_first(part, bodies):
        sizes[name] = _with_calls(bodies[name], sizes)
        depths[name] = 1 + max((depths[callee] for callee in bodies[name].calls), default=0)
    return sizes, depths


def _callees_first(part: str, bodies: Mapping[str, Body]) -> list[str]:
    for body in bodies.values():
        _check_known(part, body.calls, bodies)
    try:
        return [*TopologicalSorter({name: [*body.calls] for name, body in bodies.items()}).static_order()]
    except CycleError as error:
        raise forbidden(part, error.args[1][0], "is a function that calls itself") from None


def _check_known(part: str, calls: Calls, bodies: Mapping[str, Body]) -> None:
    for name in calls:
        if name not in bodies:
            raise forbidden(part, name, "is named as a function, and is none of the plan's own")
