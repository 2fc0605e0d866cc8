"""Plans that somebody altered, and made self-consistent again: every hash and the digest are right."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from wardround.plan.format import Plan, load_plan

Change = Callable[[Any], object]


def altered(
    plan: Path,
    folder: Path,
    *,
    part: str = "work",
    graph: Change | None = None,
    bytes_: Change | None = None,
    manifest: Change | None = None,
) -> Plan:
    """A copy of the plan in `folder`. `graph` changes the GraphDef of a part of training, `bytes_` (bytes → bytes) its
    file, `manifest` the content of plan.json."""
    shutil.copytree(plan, folder)
    content = json.loads((folder / "plan.json").read_text())
    entry = content["train"][part]
    data = (folder / entry["file"]).read_bytes()
    if graph is not None:
        definition = read_graph(data)
        graph(definition)
        data = definition.SerializeToString(deterministic=True)
    data = bytes_(data) if bytes_ is not None else data
    (folder / entry["file"]).write_bytes(data)
    entry |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if manifest is not None:
        manifest(content)
    (folder / "plan.json").write_text(json.dumps(content, sort_keys=True, separators=(",", ":")))
    return load_plan(folder)


def read_graph(data: bytes) -> Any:
    """A serialized GraphDef, parsed."""
    definition = tf.compat.v1.GraphDef()
    definition.ParseFromString(data)
    return definition


def first(graph: Any, operation: str) -> Any:
    """The first node of an operation, wherever it is."""
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return next(node for node in nodes if node.op == operation)
