"""What docs/security.md says is held by a test has that test."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()


def named_tests() -> list[tuple[str, str]]:
    """(file, test) of each test that a table names; a file holds for the tests that follow it in its cell."""
    found, file = [], ""
    for line in PAGE.splitlines():
        for name in re.findall(
            r"`([\w/]+\.py|test_\w+)`", line.rpartition(" | ")[2] if line[:1] == "|" else ""
        ):
            if name.endswith(".py"):
                file = name if "/" in name else f"tests/hostile/{name}"
            else:
                found.append((file, name))
    return found


def test_every_test_that_the_page_names_is_there() -> None:
    named = named_tests()
    missing = [each for each in named if f"def {each[1]}(" not in (ROOT / each[0]).read_text()]
    assert len(named) > 60 and not missing


def test_every_file_of_attacks_is_on_the_page() -> None:
    files = {path.name for path in (ROOT / "tests" / "hostile").glob("test_*.py")}
    assert files == {Path(file).name for file, _ in named_tests() if "hostile" in file}
