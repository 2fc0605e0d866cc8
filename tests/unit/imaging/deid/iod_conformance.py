"""What an object lacks of its IOD, by the tables of PS3.3 that the development package `highdicom` carries.

A table gives for every module its attributes with their Types and for every IOD its modules with their usage
(mandatory, conditional, user's choice). The conditions themselves are prose, so a 1C or 2C attribute that is absent
is no fault here; one of Type 1C that is there and empty is. But an object that had such an attribute is taken to have
needed it (`lost`), unless what the condition speaks of went too. What an item of a report's content needs depends on its
value type, which the tables leave out, so these items are not looked into.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import NamedTuple

from pydicom.dataset import Dataset

# Attributes of which de-identification takes away what makes them needed: encrypted copies of what was removed, and the
# interpreter of a region, who is told where the creator is.
LAPSED = {"EncryptedAttributesSequence", "ROIInterpreterSequence"}
# Made anew, whatever was in it.
_REPLACED = "DeidentificationMethodCodeSequence"
_TYPES = ("1", "1C", "2", "2C")
_LISTS = ("basic-directory", "inventory")


class Attribute(NamedTuple):
    """An attribute of a module: keyword, Type, and the sequences in which it lies, the outermost first."""

    keyword: str
    type: str
    path: tuple[str, ...]


class Module(NamedTuple):
    """A module of an IOD, whether it is mandatory, and its attributes."""

    name: str
    mandatory: bool
    attributes: tuple[Attribute, ...]


def faults(dataset: Dataset) -> set[str]:
    """What is wrong in the mandatory modules, and in those others of which the object has anything of its own."""
    found: set[str] = set()
    modules = modules_of(str(dataset.get("SOPClassUID", "")))
    shared = {part.keyword for module in modules if module.mandatory for part in module.attributes}
    for module in modules:
        own = {part.keyword for part in module.attributes if not part.path} - shared
        if module.mandatory or any(keyword in dataset for keyword in own):
            found |= {f"{module.name}: {fault}" for fault in _faults(dataset, module)}
    return found


def lost(before: Dataset, after: Dataset) -> set[str]:
    """Conditional attributes (1C with a value, 2C) that an object had and lacks, though what held them is there."""
    had, has = _conditional(before), _conditional(after)
    return {
        f"{where}{keyword}"
        for (where, keyword), there in had.items()
        if there
        and has.get((where, keyword)) is False
        and keyword not in LAPSED
        and not where.startswith(_REPLACED)
    }


def _conditional(dataset: Dataset) -> dict[tuple[str, str], bool]:
    found = {}
    for module in modules_of(str(dataset.get("SOPClassUID", ""))):
        for path, parts in _by_path(module):
            for where, item in _items(dataset, path):
                for part in parts:
                    if part.type in ("1C", "2C"):
                        empty = part.keyword in item and item[part.keyword].is_empty
                        there = part.keyword in item and not (empty and part.type == "1C")
                        found[where, part.keyword] = there
    return found


@cache
def modules_of(sop_class: str) -> tuple[Module, ...]:
    """The modules of a SOP class's IOD; none if the table does not know the class."""
    iod = _table("sop_class_iod_map").get(sop_class)
    used = _table("iod_module_map").get(iod, ()) if iod else ()
    return tuple(
        Module(str(one["key"]), one["usage"] == "M", _attributes(str(one["key"])))
        for one in used
        if one["key"] in _table("module_attribute_map")
    )


def _faults(dataset: Dataset, module: Module) -> Iterator[str]:
    for path, parts in _by_path(module):
        for where, item in _items(dataset, path):
            for part in parts:
                absent = part.keyword not in item
                empty = not absent and item[part.keyword].is_empty
                if (absent and part.type in ("1", "2")) or (empty and part.type in ("1", "1C")):
                    yield f"{where}{part.keyword} ({part.type}) is {'absent' if absent else 'empty'}"


@cache
def _by_path(module: Module) -> list[tuple[tuple[str, ...], list[Attribute]]]:
    ordered = sorted(module.attributes, key=lambda part: part.path)
    return [(path, list(parts)) for path, parts in groupby(ordered, key=lambda part: part.path)]


def _items(dataset: Dataset, path: Sequence[str], where: str = "") -> Iterator[tuple[str, Dataset]]:
    if not path:
        yield where, dataset
        return
    for index, item in enumerate(dataset.get(path[0]) or ()):
        yield from _items(item, path[1:], f"{where}{path[0]}[{index}]/")


@cache
def _attributes(module: str) -> tuple[Attribute, ...]:
    rows = _table("module_attribute_map")[module]
    found = (Attribute(str(row["keyword"]), str(row["type"]), tuple(row["path"])) for row in rows)
    return tuple(part for part in found if part.type in _TYPES and "ContentSequence" not in part.path)


@cache
def _table(name: str) -> dict:
    return dict(json.loads(files("highdicom").joinpath(f"_standard/{name}.json").read_text("utf-8")))


def sop_classes() -> list[str]:
    """All SOP classes of the table, in order, but a medium's directory and an archive's inventory."""
    return sorted(uid for uid, iod in _table("sop_class_iod_map").items() if iod not in _LISTS)
