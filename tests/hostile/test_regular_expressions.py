"""No regular expression of ours takes longer for a text than in proportion to its length; pydantic's engine is Rust's.

Python's `re` backtracks: `(a+)+b` needs 2^n steps. Every pattern in the source is found in its syntax tree, and run on
long texts made of the characters that it looks for: quadratic work on 20,000 of them takes a second and more, linear
work a millisecond.
"""

import ast
import importlib
import itertools
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "wardround"
CALLS = ("compile", "match", "fullmatch", "search", "sub", "split", "findall", "finditer")
LENGTH, SECONDS = 20_000, 0.7


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE), ast.parse(path.read_text("utf-8"))


def patterns() -> Iterator[tuple[str, str | bytes, bool]]:
    """(file:line, pattern, whether it is searched for anywhere in a text)."""
    for path, tree in trees():
        names = {
            id(node.value): ast.unparse(node.targets[0]) for node in tree.body if isinstance(node, ast.Assign)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and is_of_re(node.func):
                searched = is_searched(path, node.func.attr, names.get(id(node), ""))  # type: ignore[attr-defined]
                yield f"{path}:{node.lineno}", text_of(path, node.args[0]), searched


def is_searched(path: Path, called: str, name: str) -> bool:
    """A pattern that only has to match at a text's begin, or as a whole, is tried at one place."""
    if called != "compile":
        return called not in ("match", "fullmatch")
    # One that is only passed on, or has no name of its own, may be searched for.
    text, uses = (SOURCE / path).read_text("utf-8"), rf"(?<!\w){name}\b"
    anchored = re.findall(rf"{uses}\.(?:match|fullmatch)\(", text)
    return not name or len(anchored) < len(re.findall(uses, text)) - 1


def is_of_re(called: ast.expr) -> bool:
    is_attribute = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name)
    return is_attribute and called.value.id == "re" and called.attr in CALLS  # type: ignore[attr-defined]


def text_of(path: Path, node: ast.expr) -> str | bytes:
    """A pattern written out, or built of its module's constants; an f-string's other fields stand for an x."""
    if isinstance(node, ast.Constant):
        return node.value  # type: ignore[return-value]
    try:
        return eval(compile(ast.Expression(node), str(path), "eval"), dict(vars(module_at(path))))  # type: ignore[no-any-return]
    except NameError:
        if isinstance(node, ast.JoinedStr):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
    raise AssertionError(
        f"{path}:{node.lineno}: a pattern that is made while running cannot be tested; write it out"
    )


def module_at(path: Path) -> ModuleType:
    return importlib.import_module(".".join(("wardround", *path.with_suffix("").parts)))


FOUND = list(patterns())


def looked_for(pattern: str | bytes) -> list[str]:
    """One character of each kind that a pattern names."""
    named = {"d": "7", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a", ".": "x"}
    kinds = re.findall(r"\\?.", pattern if isinstance(pattern, str) else pattern.decode("latin-1"), re.DOTALL)
    found = sorted({named.get(kind[-1], kind[-1]) for kind in kinds} - set("()?+*|^$\\"))
    return [*found[:14], "\n", "!"]


def pumped(pattern: str | bytes) -> Iterator[str]:
    found = looked_for(pattern)
    for size in (1, 2):
        for piece in itertools.product(found, repeat=size):
            yield "".join(piece) * (LENGTH // size)


def slow(pattern: str | bytes, search: bool = True) -> list[str]:
    """The pieces whose repetition takes too long."""
    compiled, bad = re.compile(pattern), []
    for text in pumped(pattern):
        for end in ("", "\x00"):
            given, start = text + end, time.process_time()
            subject = given if isinstance(pattern, str) else given.encode("latin-1")
            compiled.fullmatch(subject)  # type: ignore[arg-type]
            if search:
                compiled.search(subject)  # type: ignore[arg-type]
            if time.process_time() - start > SECONDS:
                return [*bad, repr(text[:2])]
    return bad


@pytest.mark.parametrize(("place", "pattern", "searched"), FOUND, ids=[place for place, _, _ in FOUND])
def test_a_pattern_is_linear(place: str, pattern: str | bytes, searched: bool) -> None:
    assert slow(pattern, searched) == [], place


def test_all_patterns_are_found() -> None:
    """As a plain search in the text counts them."""
    calls = rf"\bre\.(?:{'|'.join(CALLS)})\("
    count = sum(len(re.findall(calls, path.read_text("utf-8"))) for path in SOURCE.rglob("*.py"))
    assert len(FOUND) == count >= 30


def test_pydantic_runs_patterns_in_rust() -> None:
    """Its engine is linear (docs.rs/regex, "Untrusted input"); `regex_engine="python-re"` would change that."""
    assert [path for path in SOURCE.rglob("*.py") if "python-re" in path.read_text("utf-8")] == []


def test_the_test_sees_a_slow_pattern() -> None:
    assert slow(r"\s*a\s*b", False) == [] and slow(r"\d+\d+x", False) != []
