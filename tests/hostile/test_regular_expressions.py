"""No regular expression of ours takes longer for a text than in proportion to its length; pydantic's engine is Rust's.

Python's `re` backtracks: `(a+)+b` needs 2^n steps. Every pattern in the source is found in its syntax tree, and run on
long texts made of the characters that it looks for: quadratic work on 20,000 of them takes a second and more, linear
work a millisecond.
"""

import ast
import itertools
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "wardround"
CALLS = ("compile", "match", "fullmatch", "search", "sub", "split", "findall", "finditer")
LENGTH, SECONDS = 20_000, 0.7


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE), ast.parse(path.read_text("utf-8"))


def patterns() -> Iterator[tuple[str, str | bytes, bool]]:
    """(file:line, pattern, whether it is searched for anywhere in a text); an f-string's fields stand for an x."""
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and is_of_re(node.func):
                yield f"{path}:{node.lineno}", text_of(node.args[0]), is_searched(path, node.func.attr)  # type: ignore[attr-defined]


def is_searched(path: Path, called: str) -> bool:
    """A pattern that only has to match as a whole begins at one place."""
    if called != "compile":
        return called not in ("match", "fullmatch")
    text = (SOURCE / path).read_text("utf-8")
    return re.search(r"\.(search|sub|split|findall|finditer)\(", text) is not None


def is_of_re(called: ast.expr) -> bool:
    is_attribute = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name)
    return is_attribute and called.value.id == "re" and called.attr in CALLS  # type: ignore[attr-defined]


def text_of(node: ast.expr) -> str | bytes:
    if isinstance(node, ast.Constant):
        return node.value  # type: ignore[return-value]
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
    raise AssertionError(
        f"line {node.lineno}: a pattern that is made while running cannot be tested; write it out"
    )


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
