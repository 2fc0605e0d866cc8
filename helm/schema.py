"""The closed JSON schema of a chart's values: a key that the chart does not know is refused, at every depth.

Types follow from the defaults; `@schema` keywords are laid over them. `use: NAME` among the keywords stands for the
keywords of that name in `definitions.yaml`, at any depth. They are copied in: in draft 7 nothing may stand beside a
reference, and both of Helm's major versions read draft 7.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from helm.values import Value

DEFINITIONS = Path(__file__).with_name("definitions.yaml")
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
# Helm passes this key to every chart that is part of another one.
_GLOBAL = {"type": "object", "description": "Helm's own: values that a parent chart shares. Not used."}


def values_schema(values: Sequence[Value]) -> dict[str, Any]:
    """The schema of all values. Raises ValueError for a value whose content nothing describes."""
    definitions = yaml.safe_load(DEFINITIONS.read_text(encoding="utf-8"))
    properties = {value.path[-1]: _schema(value, definitions) for value in values}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": properties | {"global": _GLOBAL},
        "additionalProperties": False,
    }


def _schema(value: Value, definitions: Mapping[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": value.prose}
    if value.children is not None:
        schema["properties"] = {child.path[-1]: _schema(child, definitions) for child in value.children}
        return _closed(schema | {"type": "object"} | value.keywords)
    described = _expanded(value.keywords, definitions)
    if "type" not in described and "enum" not in described:
        described = {"type": _type(value)} | described
    schema = _closed(schema | described | {"default": value.default})
    _check_described(value, schema)
    return schema


def _type(value: Value) -> str:
    if value.default is None:
        raise ValueError(f"{'.'.join(value.path)} is null by default: say its type with @schema")
    return _TYPES[type(value.default)]


def _check_described(value: Value, schema: Mapping[str, Any]) -> None:
    kinds = schema.get("type", [])
    for kind, keys in (("array", {"items"}), ("object", {"properties", "additionalProperties"})):
        if kind in ([kinds] if isinstance(kinds, str) else kinds) and not keys & set(schema):
            raise ValueError(f"{'.'.join(value.path)}: say with @schema what is in the {kind}")


def _expanded(keywords: Any, definitions: Mapping[str, Any]) -> Any:
    """The keywords with every `use` replaced by what it names; keywords beside it win."""
    if isinstance(keywords, list):
        return [_expanded(each, definitions) for each in keywords]
    if not isinstance(keywords, dict):
        return keywords
    own = {name: _expanded(each, definitions) for name, each in keywords.items()}
    if not isinstance(own.get("use"), str):
        return own
    return _expanded(definitions[own.pop("use")], definitions) | own


def _closed(schema: Any) -> Any:
    """The schema with `additionalProperties: false` on every object that lists its properties and says nothing else."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: each if name == "default" else _closed(each) for name, each in schema.items()}
    if isinstance(closed.get("properties"), dict) and "type" in closed:
        closed.setdefault("additionalProperties", False)
    return closed
