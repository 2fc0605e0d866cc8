"""The functions of a graph: only the plan's own, each with a fixed signature, calling each other without a circle.

TensorFlow finds a function by its name, in the graph's library and then among its own operations. So a name that is an
operation's could mean either, and is refused; so is every reference that the library does not answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from tensorflow.python.framework import op_def_registry

from wardround.plan import graph_limits as limits
from wardround.plan.attributes import check_note
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


def check_library(part: str, library: Any) -> None:
    """Raises RefusedError for names that are taken, for functions with types to be filled in, and for gradients."""
    if library.gradient or library.registered_gradients:
        raise forbidden(part, "gradient", "is defined anew by the plan")
    names = [function.signature.name for function in library.function]
    if len(set(names)) != len(names):
        raise malformed(part, "two of its functions have one name")
    for function in library.function:
        _check_name(part, function.signature.name)
        _reduce(part, function)


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


def check_calls(part: str, top: Calls, top_nodes: int, bodies: Mapping[str, tuple[int, Calls]]) -> None:
    """Checks what calls what.

    `top`, `top_nodes`: calls and number of nodes of the graph itself; `bodies`: the same of each function.
    Raises RefusedError: `forbidden-operation` for a function that is not there or calls itself, however indirectly;
    `oversized` when the graph with every call replaced by its function has too many nodes, or calls are too deep.
    """
    sizes, depths = _sizes(part, bodies)
    _check_known(part, top, bodies)
    total = top_nodes + sum(count * sizes[name] for name, count in top.items())
    if total > limits.MAX_NODES:
        raise oversized(part, f"{total} nodes with all calls replaced, legal are {limits.MAX_NODES}")
    if max((depths[name] for name in top), default=0) > limits.MAX_CALL_DEPTH:
        raise oversized(part, f"functions call each other more than {limits.MAX_CALL_DEPTH} deep")


def _sizes(part: str, bodies: Mapping[str, tuple[int, Calls]]) -> tuple[dict[str, int], dict[str, int]]:
    """Nodes of each function with its calls replaced, and how deep they go; callees before callers."""
    sizes: dict[str, int] = {}
    depths: dict[str, int] = {}
    for name in _callees_first(part, bodies):
        nodes, calls = bodies[name]
        # Capped: 26 functions that call each other twice have more nodes than a float counts.
        size = nodes + sum(count * sizes[callee] for callee, count in calls.items())
        sizes[name] = min(size, limits.MAX_NODES + 1)
        depths[name] = 1 + max((depths[callee] for callee in calls), default=0)
    return sizes, depths


def _callees_first(part: str, bodies: Mapping[str, tuple[int, Calls]]) -> list[str]:
    for _, calls in bodies.values():
        _check_known(part, calls, bodies)
    try:
        return [*TopologicalSorter({name: [*calls] for name, (_, calls) in bodies.items()}).static_order()]
    except CycleError as error:
        raise forbidden(part, error.args[1][0], "is a function that calls itself") from None


def _check_known(part: str, calls: Calls, bodies: Mapping[str, tuple[int, Calls]]) -> None:
    for name in calls:
        if name not in bodies:
            raise forbidden(part, name, "is named as a function, and is none of the plan's own")
