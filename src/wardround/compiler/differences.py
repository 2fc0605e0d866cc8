"""`python -m wardround.compiler.differences THEIRS.pb OURS.pb`: where two graphs differ first, as one JSON line.

Runs in the compiler's process, because a graph of unknown origin is read. Nothing in it is executed. The line is
`{"what": "…"}`; its text holds names from the first graph, as they are.
"""

import itertools
import json
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def first_difference(theirs: Any, ours: Any) -> str:
    """The first difference of two GraphDefs in words; `theirs` is what was given, `ours` what it should be."""
    found = itertools.chain(
        _nodes("the graph", theirs.node, ours.node),
        _functions(theirs.library.function, ours.library.function),
        _fields("the graph", theirs, ours, ("node", "library")),
        _fields("the graph's library", theirs.library, ours.library, ("function",)),
    )
    return next(
        found, "the same operations in another encoding: fields that are unknown here, or another order"
    )


def _nodes(where: str, theirs: Any, ours: Any) -> Iterator[str]:
    for number, (given, expected) in enumerate(itertools.zip_longest(theirs, ours)):
        if given is None:
            yield f"{where} lacks node {expected.name!r} ({expected.op})"
        elif expected is None:
            yield f"{where} has node {given.name!r} ({given.op}) beyond what belongs there"
        elif given != expected:
            yield from _node(f"{where}, node {number} {given.name!r}", given, expected)
    # Equal as messages, whatever their bytes: the caller has the last word.


def _node(where: str, given: Any, expected: Any) -> Iterator[str]:
    if given.op != expected.op:
        yield f"{where}: operation {given.op!r} instead of {expected.op!r}"
    if given.name != expected.name:
        yield f"{where}: its place is that of {expected.name!r} ({expected.op})"
    if list(given.input) != list(expected.input):
        yield f"{where} ({given.op}): inputs {list(given.input)} instead of {list(expected.input)}"
    for key in sorted({*given.attr, *expected.attr}):
        if (key in given.attr) != (key in expected.attr):
            yield f"{where} ({given.op}): attribute {key!r} {'is added' if key in given.attr else 'is missing'}"
        elif given.attr[key] != expected.attr[key]:
            what = "the constant" if given.attr[key].WhichOneof("value") == "tensor" else f"attribute {key!r}"
            yield f"{where} ({given.op}): {what} has another value"
    yield from _fields(f"{where} ({given.op})", given, expected, ("op", "name", "input", "attr"))


def _functions(theirs: Any, ours: Any) -> Iterator[str]:
    for given, expected in itertools.zip_longest(theirs, ours):
        if given is None or expected is None:
            name = (given or expected).signature.name
            yield f"function {name!r} {'is missing' if given is None else 'does not belong there'}"
        elif given.signature.name != expected.signature.name:
            yield f"function {given.signature.name!r} instead of {expected.signature.name!r}"
        else:
            yield from _nodes(f"function {given.signature.name!r}", given.node_def, expected.node_def)
            yield from _fields(f"function {given.signature.name!r}", given, expected, ("node_def",))


def _fields(where: str, given: Any, expected: Any, without: tuple[str, ...]) -> Iterator[str]:
    for field in given.DESCRIPTOR.fields:
        if field.name not in without and getattr(given, field.name) != getattr(expected, field.name):
            yield f"{where}: field {field.name!r} has another value"


def main() -> int:
    """The command line."""
    from tensorflow.core.framework import graph_pb2

    graphs = [graph_pb2.GraphDef.FromString(pathlib.Path(path).read_bytes()) for path in sys.argv[1:3]]
    print(json.dumps({"what": first_difference(*graphs)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
