"""From YAML text to a `Recipe`; errors name the line, the value and the legal values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wardround.errors import ConfigurationError
from wardround.recipe.schema import Recipe

_MAX_BYTES = 1 << 20


class RecipeError(ConfigurationError):
    """The recipe is wrong; the message has one line for each mistake."""

    code = "recipe"


def load_recipe(path: Path) -> Recipe:
    """Read and validate a recipe. Raises RecipeError with the line of every mistake."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise RecipeError(f"{path}: larger than {_MAX_BYTES} bytes, which no recipe is")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: can't be read as UTF-8 text ({error.__class__.__name__})") from error
    return parse_recipe(text, str(path))


def parse_recipe(text: str, source: str = "recipe") -> Recipe:
    """Validate the YAML text of a recipe; `source` names it in messages. Raises RecipeError."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise RecipeError(f"{source}: not valid YAML: {_yaml_problem(error)}") from error
    if not isinstance(data, dict):
        raise RecipeError(f"{source}: a recipe is a mapping of keys; see `wardround recipe init`")
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        lines = dict.fromkeys(_describe(problem, node, source) for problem in error.errors())
        raise RecipeError("\n".join(lines)) from error


def _yaml_problem(error: BaseException) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or error.__class__.__name__
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)


def _describe(problem: ErrorDetails, node: yaml.Node | None, source: str) -> str:
    keys = [part for part in problem["loc"] if not _is_union_branch(part)]
    line, found = _locate(node, keys)
    where = ".".join(str(key) for key in keys) or "recipe"
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
    value = f" (value {problem['input']!r})" if found and not isinstance(problem["input"], dict) else ""
    if kind == "literal_error":
        return f"legal are {context['expected']}{value}"
    if kind == "value_error":
        return f"{context['error']}{value}"
    return problem["msg"][0].lower() + problem["msg"][1:] + value


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
