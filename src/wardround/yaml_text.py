"""YAML and JSON that people write: settings, recipes, values of flags. Strict, bounded, and never quoted in an error.

Beyond what YAML 1.1 says (section 3.2.1.3 forbids equal keys, and PyYAML takes the last) a document has a limit of
bytes, of depth, and of nodes after all aliases are followed: nine lines of aliases can stand for a billion nodes. Its
values are those that JSON has, and dates: a set has no order, and a number of thousands of digits cannot be written.
"""

from collections.abc import Iterator
from typing import Any

import yaml

LIMIT = 256 * 1024
_DEPTH = 50
_NODES = 20_000
# A number is shorter: Python makes one of any length of hexadecimal digits, and cannot print it.
_LONGEST_NUMBER = 100
_TYPES = ("null", "bool", "int", "float", "str", "seq", "map", "merge", "timestamp")
_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in _TYPES)
_NUMBERS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("int", "float"))


class YamlError(ValueError):
    """The text is not legal; the message has line and column, and no word of the text."""


class _Loader(yaml.SafeLoader):
    """PyYAML looks at each open level again for each token, and recurses: depth is bounded as it is scanned."""

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:
        """`[` or `{`."""
        self._check_depth()
        super().fetch_flow_collection_start(TokenClass)

    def add_indent(self, column: int) -> bool:
        """A further level of lines."""
        self._check_depth()
        return bool(super().add_indent(column))

    def _check_depth(self) -> None:
        if self.flow_level + len(self.indents) > _DEPTH:
            raise YamlError(f"line {self.line + 1}: nested deeper than {_DEPTH}")


def parse_yaml(text: str, limit: int = LIMIT) -> Any:
    """The content of one YAML (or JSON) document of at most `limit` characters. Raises YamlError."""
    return parse_with_lines(text, limit)[0]


def parse_with_lines(text: str, limit: int = LIMIT) -> tuple[Any, yaml.Node | None]:
    """The content, and the nodes that know which line each key is on. Raises YamlError."""
    if len(text) > limit:
        raise YamlError(f"it has more than {limit} characters")
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None, None
            _check(node)
            return loader.construct_document(node), node
        finally:
            loader.dispose()
    except YamlError:
        raise
    except yaml.YAMLError as error:
        # `from None`: PyYAML quotes the lines around the place.
        raise YamlError(_told(error)) from None
    except RecursionError:
        raise YamlError("it is nested too deeply") from None
    # Numbers of thousands of digits, dates with a 13th month, bytes that are no base64, keys that are lists.
    except (ValueError, OverflowError, TypeError, AttributeError, KeyError, IndexError):
        raise YamlError("a value is none of its kind: quote texts that look like numbers or dates") from None


def _told(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    return f"{where}not YAML ({type(error).__name__})"


def _check(root: yaml.Node) -> None:
    """Counts nodes as often as they are referred to. Raises YamlError; needs no recursion of its own."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()
    stack: list[tuple[yaml.Node, bool]] = [(root, False)]
    while stack:
        node, is_done = stack.pop()
        if is_done:
            open_nodes.discard(id(node))
            sizes[id(node)] = 1 + sum(sizes[id(child)] for child in _children(node))
            _refuse(node, sizes[id(node)] > _NODES, f"more than {_NODES} values, with aliases followed")
            continue
        _refuse(node, id(node) in open_nodes, "an alias within what it stands for")
        if id(node) in sizes:
            continue
        open_nodes.add(id(node))
        _refuse(node, len(open_nodes) > _DEPTH, f"nested deeper than {_DEPTH}")
        _check_type(node)
        _check_keys(node)
        stack.append((node, True))
        stack += [(child, False) for child in _children(node)]


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair


def _check_type(node: yaml.Node) -> None:
    _refuse(node, node.tag not in _TAGS, f"a value of another type than {', '.join(_TYPES)}")
    is_long = node.tag in _NUMBERS and len(node.value) > _LONGEST_NUMBER
    _refuse(node, is_long, f"a number of more than {_LONGEST_NUMBER} characters: quote it if it is a text")


def _check_keys(node: yaml.Node) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            _refuse(key, (key.tag, key.value) in seen, "a key that was there before")
            seen.add((key.tag, key.value))


def _refuse(node: yaml.Node, is_wrong: bool, why: str) -> None:
    if is_wrong:
        raise YamlError(f"line {node.start_mark.line + 1}: {why}")
