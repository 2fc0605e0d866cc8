"""Where two manifests differ, in words: of a plan, and of what its recipe compiles to."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wardround.plan.format import Manifest
from wardround.text import foreign

_VALUE = 80
_ABSENT = object()


@dataclass(frozen=True)
class Difference:
    """One field, named by its path. `graph` is the file of a graph whose bytes differ."""

    path: str
    words: str
    graph: str | None = None


def manifest_differences(theirs: Manifest, ours: Manifest) -> Iterator[Difference]:
    """Every field in which a plan differs from what its recipe compiles to: fields first, then graphs.

    Graphs come last because another version of the compiler explains them all.
    """
    found = list(_differences("", theirs.model_dump(mode="json"), ours.model_dump(mode="json")))
    yield from (each for each in found if each.graph is None)
    seen = {each.graph: each for each in found if each.graph is not None}
    yield from seen.values()


def _differences(path: str, theirs: Any, ours: Any) -> Iterator[Difference]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        yield from _of_dicts(path, theirs, ours)
    elif isinstance(theirs, list) and isinstance(ours, list):
        pairs = itertools.zip_longest(theirs, ours, fillvalue=_ABSENT)
        for position, (given, expected) in enumerate(pairs):
            yield from _differences(f"{path}.{position}", given, expected)
    elif theirs is _ABSENT or ours is _ABSENT or theirs != ours or type(theirs) is not type(ours):
        yield Difference(
            path, f"{foreign(path, 200)} is {_shown(theirs)}, its recipe compiles to {_shown(ours)}"
        )


def _of_dicts(path: str, theirs: dict[str, Any], ours: dict[str, Any]) -> Iterator[Difference]:
    skipped: set[str] = set()
    if _is_part(theirs) and _is_part(ours) and theirs["file"] == ours["file"]:
        skipped = {"sha256", "bytes"}
        if theirs["sha256"] != ours["sha256"]:
            words = f"{theirs['file']} is another graph than its recipe compiles to"
            yield Difference(path, words, theirs["file"])
        elif theirs["bytes"] != ours["bytes"]:
            skipped = set()
    for key in sorted({*theirs, *ours} - skipped):
        below = f"{path}.{key}" if path else key
        yield from _differences(below, theirs.get(key, _ABSENT), ours.get(key, _ABSENT))


def _is_part(value: dict[str, Any]) -> bool:
    return {"file", "sha256", "bytes"} <= value.keys()


def _shown(value: Any) -> str:
    return "absent" if value is _ABSENT else foreign(json.dumps(value, ensure_ascii=False), _VALUE)
