"""A mistake in the user's own file is one sentence with the file, the line and what is wrong, and no traceback."""

import importlib.util
from pathlib import Path

import pytest

from wardround.compiler.failure import CompilerFailure, explain


def fault(folder: Path, text: str) -> Exception:
    """What running a file of the user's raises."""
    (folder / "own.py").write_text(text)
    spec = importlib.util.spec_from_file_location("own", folder / "own.py")
    assert spec is not None and spec.loader is not None
    with pytest.raises(Exception) as caught:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return caught.value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1\nb = a + 'x'\n", "own.py:2: TypeError: unsupported operand"),
        ("import no_such_module_of_mine\n", "own.py:1: ModuleNotFoundError: No module named"),
        ("def f():\n    raise ValueError('one\\n\\n  two')\n\nf()\n", "own.py:2: ValueError: one"),
        ("raise KeyError\n", "own.py:1: KeyError: it says nothing"),
        ("x = [\n", "own.py:1: SyntaxError: '[' was never closed"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_line(text: str, said: str, tmp_path: Path) -> None:
    assert explain(fault(tmp_path, text), tmp_path).startswith(said)


def test_what_is_raised_again_with_more_text_is_told_as_it_was_first(tmp_path: Path) -> None:
    try:
        try:
            raise CompilerFailure("use group normalisation")
        except CompilerFailure as first:
            raise ValueError(f"in user code:\n\n    Exception encountered:\n {first}") from None
    except ValueError as again:
        assert explain(again, tmp_path) == "use group normalisation"


def test_an_error_outside_of_the_users_files_is_told_by_its_first_line(tmp_path: Path) -> None:
    said = explain(LookupError("No gradient defined\nand much more"), tmp_path)
    assert said == "TensorFlow Federated can't make a plan of this recipe (LookupError: No gradient defined)"
