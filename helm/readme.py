"""A chart's README: the prose of `README.head.md`, and tables of all values from the commented `values.yaml`."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from helm.values import Value

_NOTE = "<!-- Written by `python -m helm.build` from README.head.md and values.yaml. -->"


def readme(head: str, values: Sequence[Value]) -> str:
    """The README's text."""
    return "\n".join([_NOTE, "", head.rstrip(), "", "## Values", "", *_tables(values)])


def _tables(values: Sequence[Value]) -> Iterator[str]:
    alone = [value for value in values if value.children is None]
    if alone:
        yield from _table(alone)
    for value in values:
        if value.children is not None:
            yield from (f"### {value.path[0]}", "", value.prose, "")
            yield from _table(list(value.leaves()))


def _table(values: Sequence[Value]) -> Iterator[str]:
    yield from ("| value | default | what |", "|---|---|---|")
    for value in values:
        yield f"| `{'.'.join(value.path)}` | {_default(value.default)} | {_cell(_what(value))} |"
    yield ""


def _what(value: Value) -> str:
    choices = value.keywords.get("enum")
    return value.prose + (f" One of {', '.join(f'`{each}`' for each in choices)}." if choices else "")


def _default(default: Any) -> str:
    text = default if isinstance(default, str) else json.dumps(default)
    return f"`{_cell(text)}`" if text not in ("", "null") else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
