"""Pages say what is there: each `wardround …` and `make …` line is one that programs take, each link leads somewhere."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from wardround.cli import COMMANDS, _load

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("k8s/**/*.md")])
BLOCK = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(wardround [^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
# What ends one command of a shell's line, where it stands as a word of its own.
ENDS = ("|", "&", "&&", "||", ";", ">", "2>", "<")


@dataclass(frozen=True)
class Line:
    """A command in a page; `whole`: whether it can be run as it stands, or only names a command in running text."""

    page: str
    words: tuple[str, ...]
    whole: bool = True

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def commands(page: Path, program: str) -> Iterator[Line]:
    """The lines of a page's code blocks that run a program, without comments and with continued lines joined."""
    name = str(page.relative_to(ROOT))
    text = page.read_text("utf-8")
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            start = re.match(rf"\s*(?:\.venv/bin/)?{program} (.*)", line)
            if start:
                yield Line(name, tuple(_words(start.group(1))))
    if program == "wardround":
        for found in INLINE.findall(BLOCK.sub("", text)):
            yield Line(name, tuple(_words(found.removeprefix("wardround "))), whole=False)


def _words(text: str) -> Iterator[str]:
    for word in shlex.split(text, comments=True):
        if word in ENDS:
            return
        if word != "…":
            yield word


@cache
def loaded(name: str) -> Any:
    """A top-level command."""
    return _load(name)


def parse(line: Line) -> None:
    """Walks to the line's command and parses its words. Raises what the command line would say."""
    if line.words[0] not in COMMANDS:
        raise LookupError(f"no command {line.words[0]!r}")
    command, rest = loaded(line.words[0]), list(line.words[1:])
    while getattr(command, "commands", None) and rest and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            raise LookupError(f"no command {rest[0]!r} in {command.name!r}")
        command = command.commands[rest.pop(0)]
    if getattr(command, "commands", None):
        if line.whole:
            raise LookupError("a command of this group is missing")
        return
    context = command.context_class(command, info_name="wardround")
    given, more, _ = command.make_parser(context).parse_args(rest)
    if more:
        raise LookupError(f"too many words: {more}")
    if missing := [each.name for each in command.params if line.whole and _missing(each, given)]:
        raise LookupError(f"missing: {missing}")


def _missing(parameter: Any, given: dict[str, Any]) -> bool:
    value = given.get(parameter.name)
    unset = value is None or type(value).__name__ == "Sentinel" or value == ()
    return bool(parameter.required and unset and not parameter.envvar)


WARDROUND = [line for page in PAGES for line in commands(page, "wardround")]
MAKE = [line for page in PAGES for line in commands(page, "make")]


@pytest.mark.parametrize("line", WARDROUND, ids=str)
def test_a_command_in_the_pages_is_one_that_wardround_takes(line: Line) -> None:
    parse(line)


@pytest.mark.parametrize("line", MAKE, ids=str)
def test_a_make_target_in_the_pages_exists(line: Line) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert line.words[0] in targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_of_a_page_leads_to_a_file(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text("utf-8")) if not re.match("[a-z]+:", link)]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    "words",
    [
        ("submit", "recipe.yaml", "--setings", "s.yaml"),
        ("site", "aprove", "DIGEST"),
        ("plan", "show"),
        ("plan", "show", "a", "b"),
        ("clusters",),
        ("site",),
    ],
)
def test_a_command_that_wardround_does_not_take_would_be_found(words: tuple[str, ...]) -> None:
    with pytest.raises(Exception, match=r"[Nn]o such option|no command|missing|too many"):
        parse(Line("here", words))


def test_there_are_commands_to_look_at() -> None:
    assert len(WARDROUND) > 30 and len(MAKE) > 10
