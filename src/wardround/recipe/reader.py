"""From YAML text to a `Recipe`; errors name the line, the value and the legal values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wardround.errors import ConfigurationError
from wardround.limited import FileError, read_text_limited
from wardround.recipe.schema import Recipe
from wardround.text import foreign
from wardround.yaml_text import LIMIT, YamlError, parse_with_lines

_MISTAKES = 50


class RecipeError(ConfigurationError):
    """The recipe is wrong; the message has one line for each mistake."""

    code = "recipe"


def load_recipe(path: Path) -> Recipe:
    """Read and validate a recipe. Raises RecipeError with the line of every mistake."""
    try:
        text = read_text_limited(path, LIMIT, "recipe")
    except FileError as error:
        raise RecipeError(str(error)) from None
    return parse_recipe(text, str(path))


def parse_recipe(text: str, source: str = "recipe") -> Recipe:
    """Validate the YAML text of a recipe; `source` names it in messages. Raises RecipeError."""
    try:
        data, node = parse_with_lines(text)
    except YamlError as error:
        raise RecipeError(f"{source}: not valid YAML: {error}") from None
    if not isinstance(data, dict):
        raise RecipeError(f"{source}: a recipe is a mapping of keys; see `wardround recipe init`")
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        found = _causes(error.errors())[:_MISTAKES]
        lines = dict.fromkeys(_describe(problem, node, source) for problem in found)
        raise RecipeError("\n".join(lines)) from None


def _causes(problems: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without those of a list or section of which a part is wrong already, such as "too short"."""
    places = {problem["loc"][:length] for problem in problems for length in range(len(problem["loc"]))}
    return [problem for problem in problems if problem["loc"] not in places]


def _describe(problem: ErrorDetails, node: yaml.Node | None, source: str) -> str:
    keys = [part for part in problem["loc"] if not _is_union_branch(part)]
    line, found = _locate(node, keys)
    where = ".".join(foreign(key, 60) for key in keys) or "recipe"
    return f"{source}:{line}: {where}: {_reason(problem, found)}"


def _is_union_branch(part: int | str) -> bool:
    """Pydantic adds the branch of a union to the path of an error, such as `literal['youden']`."""
    return (isinstance(part, str) and any(mark in part for mark in "[('")) or part in (
        "float",
        "constrained-float",
    )


def _reason(problem: ErrorDetails, found: bool) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "no such key" + _legal_keys(problem)
    value = (
        f" (value {_quoted(problem['input'])})" if found and not isinstance(problem["input"], dict) else ""
    )
    if kind == "string_type" and found and not isinstance(problem["input"], dict | list):
        return f"write it in quotes: YAML reads it as {_read_as(problem['input'])}{value}"
    if kind == "literal_error":
        return f"legal are {context['expected']}{value}"
    if kind == "value_error":
        return f"{foreign(context['error'], 400)}{value}"
    return problem["msg"][0].lower() + problem["msg"][1:] + value


def _read_as(value: object) -> str:
    """What YAML 1.1 makes of a word without quotes, such as yes, no, on, off, 1 or 2020-01-01."""
    if value is None:
        return "nothing"
    return "true or false" if isinstance(value, bool) else "a number or a date"


def _quoted(value: object) -> str:
    """A value that the recipe's author wrote: a string may be long, a list longer."""
    return foreign(repr(value[:100] if isinstance(value, str | list) else value), 100)


def _legal_keys(problem: ErrorDetails) -> str:
    section: Any = Recipe
    for part in problem["loc"][:-1]:
        field = section.model_fields.get(part) if hasattr(section, "model_fields") else None
        section = _section_type(field.annotation) if field else None
    names = ", ".join(section.model_fields) if hasattr(section, "model_fields") else ""
    return f"; legal are {names}" if names else ""


def _section_type(annotation: Any) -> Any:
    if hasattr(annotation, "model_fields"):
        return annotation
    branches = [arg for arg in getattr(annotation, "__args__", ()) if hasattr(arg, "model_fields")]
    return branches[0] if branches else None


def _locate(node: yaml.Node | None, keys: list[int | str]) -> tuple[int, bool]:
    """Return the 1-based line of the deepest node on the path, and whether the whole path is there."""
    line = node.start_mark.line + 1 if node else 1
    for key in keys:
        child, child_line = _child(node, key)
        if child is None:
            return line, False
        node, line = child, child_line
    return line, True


def _child(node: yaml.Node | None, key: int | str) -> tuple[yaml.Node | None, int]:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return value, name.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key], node.value[key].start_mark.line + 1
    return None, 0
