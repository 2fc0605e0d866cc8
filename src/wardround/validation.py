"""What pydantic found wrong, without the values: they may be a secret's, a patient's, or another party's."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wardround.text import foreign

_SHOWN = 8


def problems(error: ValidationError, whole: str = "all of it", *, names: bool = True) -> str:
    """`field.inner: what is wrong; …` for the first eight mistakes. `whole` stands for what has no field.

    Names of fields may be the author's own (an unknown key): they are sanitized and cut, and with `names` False only the
    model's own fields are named, for files that hold patients' data. No value is quoted.
    """
    found = error.errors(include_url=False, include_input=False)
    shown = [f"{_where(each, names) or whole}: {_what(each)}" for each in found[:_SHOWN]]
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return "; ".join([*shown, *more])


def _where(problem: ErrorDetails, names: bool) -> str:
    if not names:
        return (
            "an unknown name"
            if problem["type"] == "extra_forbidden"
            else "".join(map(str, problem["loc"][:1]))
        )
    return ".".join(foreign(part, 60) for part in problem["loc"][:10])


def _what(problem: ErrorDetails) -> str:
    # The one kind of message into which pydantic 2 writes what was given (pydantic_core.core_schema, ErrorType).
    if problem["type"] == "union_tag_invalid":
        return f"legal are {problem['ctx']['expected_tags']}"
    return foreign(problem["msg"], 300)
