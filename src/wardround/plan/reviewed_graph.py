"""A graph that may run: reviewed, reduced to what was reviewed, and lowered. Nothing else can be given to TensorFlow.

bytes of a plan ──review──► every node, function and attribute on the allow-lists, names resolved, sizes bounded
                   │            what is not needed to compute is removed
                   └─lower──► control flow and calls as primitive operations, by TensorFlow's own pass, and reviewed
                              once more: the graph that the session gets (docs/decisions/0010-reviewed-graphs.md)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError

from wardround.plan import graph_limits as limits
from wardround.plan.attributes import Budget, reduce_attributes, reduce_call
from wardround.plan.functions import Body, Calls, check_calls, check_library
from wardround.plan.graph_errors import forbidden, malformed, oversized
from wardround.plan.lowering import lower
from wardround.plan.names import is_input_name, is_node_name
from wardround.plan.operations import ALLOWED

v1 = tf.compat.v1
_REVIEW = object()
_LOCAL_DEVICE = re.compile(
    r"(/job:localhost)?(/replica:0)?(/task:0)?(/(device:)?(CPU|GPU):([0-9]{1,3}|\*))?",
    re.ASCII | re.IGNORECASE,
)
_GRAPH_FIELDS = frozenset(("node", "library", "versions"))


@dataclass(frozen=True)
class ReviewedGraph:
    """A part's graph after its review. Made by `review_graph` only; whoever runs graphs takes nothing else.

    `definition`: the serialized GraphDef that was reviewed last, `operations`: how often each operation is in the graph
    as its author wrote it.
    """

    file: str
    definition: bytes
    operations: Mapping[str, int]
    made_by: object

    def __post_init__(self) -> None:
        if self.made_by is not _REVIEW:
            raise TypeError("a graph is reviewed by review_graph, and by nobody else")

    def graph_def(self) -> Any:
        """The graph, as TensorFlow imports it."""
        return v1.GraphDef.FromString(self.definition)


def review_graph(file: str, data: bytes, ends: Sequence[str] = ()) -> ReviewedGraph:
    """Reviews the serialized GraphDef of a part; `ends`: names of the nodes that are fed, fetched or run.

    Without ends nothing can be lowered, so a graph with functions is reviewed and can be counted, but not run.
    Raises RefusedError: `malformed`, `forbidden-operation`, `oversized`.
    """
    graph = _parsed(file, data)
    operations = _review(file, graph)
    if graph.library.function and ends:
        graph = lower(file, graph, ends)
        _review(file, graph)
        _check_lowered(file, graph)
    # Deterministic, so that the same plan gives the same bytes wherever it is reviewed.
    return ReviewedGraph(file, graph.SerializeToString(deterministic=True), operations, _REVIEW)


def _parsed(file: str, data: bytes) -> Any:
    graph = v1.GraphDef()
    try:
        graph.ParseFromString(data)
    except DecodeError as error:
        raise malformed(file, "its bytes are none") from error
    graph.DiscardUnknownFields()
    graph.ClearField("debug_info")
    if not {descriptor.name for descriptor, _ in graph.ListFields()} <= _GRAPH_FIELDS:
        raise malformed(file, "it has fields that no TensorFlow of today writes")
    return graph


def _review(file: str, graph: Any) -> Counter[str]:
    """Checks and reduces a graph in place; returns how often each operation is in it."""
    budget = Budget()
    _check_count(file, graph)
    check_library(file, graph.library, budget)
    reviewer = _Nodes(file, frozenset(f.signature.name for f in graph.library.function), budget)
    top = Body.of(graph.node, reviewer.review(graph.node))
    bodies = {
        function.signature.name: Body.of(function.node_def, reviewer.review(function.node_def))
        for function in graph.library.function
    }
    check_calls(file, top, bodies)
    return reviewer.operations


def _check_count(file: str, graph: Any) -> None:
    functions = graph.library.function
    # A function counts as a node: one without any costs as much.
    count = len(graph.node) + len(functions)
    if count <= limits.MAX_NODES:
        count += sum(len(function.node_def) for function in functions)
    if count > limits.MAX_NODES:
        raise oversized(file, f"{count} nodes and functions, legal are {limits.MAX_NODES}")


class _Nodes:
    """Reviews the nodes of one graph and its functions."""

    def __init__(self, file: str, functions: frozenset[str], budget: Budget) -> None:
        self._file, self._functions, self._budget = file, functions, budget
        self.operations: Counter[str] = Counter()

    def review(self, nodes: Any) -> Calls:
        """Checks and reduces nodes; returns the functions that they call."""
        calls: Calls = Counter()
        for node in nodes:
            calls.update(self._review(node))
        return calls

    def _review(self, node: Any) -> Iterator[str]:
        self._check_words(node)
        if node.op in self._functions:
            reduce_call(self._file, node)
            return iter((node.op,))
        if node.op not in ALLOWED:
            why = f"(node {node.name[:80]!r}) is not on the allow-list of operations"
            raise forbidden(self._file, node.op, why)
        self.operations[node.op] += 1
        return iter(reduce_attributes(self._file, node, ALLOWED[node.op], self._budget))

    def _check_words(self, node: Any) -> None:
        if not is_node_name(node.name):
            raise malformed(
                self._file, f"a node's name is none that TensorFlow gives (operation {node.op[:60]!r})"
            )
        self._budget.spend(self._file, len(node.input))
        if len(node.input) > limits.MAX_LIST or not all(map(is_input_name, node.input)):
            raise malformed(self._file, f"node {node.name[:80]!r} takes what is no tensor")
        if not _LOCAL_DEVICE.fullmatch(node.device):
            raise forbidden(self._file, node.op, "asks for another machine, or a device that is none")
        # TensorFlow chooses the device: what a hospital has is not known where a plan is compiled.
        for word in ("device", "experimental_debug_info", "experimental_type"):
            node.ClearField(word)


# Datasets call functions for each element, so these stay functions; they were reviewed as such.
_CALLS_LATER = frozenset(name for name in ALLOWED if name.endswith(("Dataset", "DatasetV2")))


def _check_lowered(file: str, graph: Any) -> None:
    """Nothing is left that TensorFlow could lower or inline when the session begins."""
    for node in graph.node:
        if node.op not in _CALLS_LATER and any(_names_functions(value) for value in node.attr.values()):
            raise forbidden(file, node.op, "calls a function that TensorFlow does not put in its place")


def _names_functions(value: Any) -> bool:
    return value.WhichOneof("value") == "func" or bool(value.list.func)
