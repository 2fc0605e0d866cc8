"""Names in a graph, as TensorFlow writes them: of nodes, of functions, and of the tensors that a node takes."""

from __future__ import annotations

import re

from wardround.plan.graph_limits import MAX_TEXT

_NODE = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.\\/>-]*", re.ASCII)
_FUNCTION = re.compile(r"[A-Za-z_][A-Za-z0-9_.\\/>-]*", re.ASCII)
# `^name` for "after it"; in a function `name:output:index` or an argument's name, else `name:index`.
_INPUT = re.compile(r"\^?[A-Za-z0-9_.][A-Za-z0-9_.\\/>-]*(:[A-Za-z][A-Za-z0-9_]*)?(:[0-9]{1,6})?", re.ASCII)


def is_node_name(name: str) -> bool:
    """Whether a node may be called so."""
    return len(name) <= MAX_TEXT and _NODE.fullmatch(name) is not None


def is_function_name(name: str) -> bool:
    """Whether a function may be called so."""
    return len(name) <= MAX_TEXT and _FUNCTION.fullmatch(name) is not None


def is_input_name(name: str) -> bool:
    """Whether a node may take a tensor of this name, or a function return it."""
    return len(name) <= MAX_TEXT and _INPUT.fullmatch(name) is not None
