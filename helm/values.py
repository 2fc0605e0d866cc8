"""A chart's `values.yaml` as a tree: every value with its default, the prose above it, and its schema keywords.

    # What the value is for. More of it.
    # @schema {pattern: "^[a-z]+$"}
    key: default

The comment that belongs to a key stands directly above it, in its column. `@schema` lines hold JSON-schema keywords
in YAML's flow style; several of them add up. A comment with an empty line below it belongs to nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_SCHEMA = "@schema "
_COMMENT = re.compile(r"( *)# ?(.*)")


@dataclass(frozen=True)
class Value:
    """One key of the values. `children` is None for a leaf: a scalar, a list, or a mapping that is a value itself."""

    path: tuple[str, ...]
    default: Any
    prose: str
    keywords: dict[str, Any]
    children: "tuple[Value, ...] | None"

    def leaves(self) -> Iterator["Value"]:
        """The values without children at or below this one, in the file's order."""
        if self.children is None:
            yield self
        for child in self.children or ():
            yield from child.leaves()


def read_values(path: Path) -> tuple[Value, ...]:
    """The top-level values of a file. Raises ValueError for a value without prose, naming its line."""
    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ValueError(f"{path}: a mapping of values is expected")
    return tuple(_children(root, (), text.splitlines()))


def _children(node: yaml.MappingNode, path: tuple[str, ...], lines: list[str]) -> Iterator[Value]:
    for key, value in node.value:
        yield _value((*path, key.value), key, value, lines)


def _value(path: tuple[str, ...], key: yaml.Node, node: yaml.Node, lines: list[str]) -> Value:
    prose, keywords = _comment(key.start_mark.line, key.start_mark.column, lines)
    if not prose:
        raise ValueError(
            f"line {key.start_mark.line + 1}: {'.'.join(path)} has no comment that says what it is"
        )
    block = isinstance(node, yaml.MappingNode) and bool(node.value) and not node.flow_style
    children = tuple(_children(node, path, lines)) if block else None  # type: ignore[arg-type]
    return Value(path, _plain(node), prose, keywords, children)


def _comment(line: int, column: int, lines: list[str]) -> tuple[str, dict[str, Any]]:
    prose: list[str] = []
    keywords: dict[str, Any] = {}
    for above in range(line - 1, -1, -1):
        found = _COMMENT.fullmatch(lines[above])
        if found is None or len(found[1]) != column:
            break
        if found[2].startswith(_SCHEMA):
            keywords = yaml.safe_load(found[2].removeprefix(_SCHEMA)) | keywords
        else:
            prose.insert(0, found[2].strip())
    return " ".join(prose), keywords


def _plain(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()
