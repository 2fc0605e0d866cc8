"""The table of actions for people, made from the code: `python -m wardround.imaging.deid.page [--check]`.

It stands in `docs/deidentification.md` between two marks; all around it is written by hand.
"""

import sys
from collections import Counter
from pathlib import Path

from wardround.imaging.deid.options import CODES, PROFILE, Options
from wardround.imaging.deid.policy import TECHNICAL, VRS, Action, actions
from wardround.imaging.deid.private import meaning, safe_private
from wardround.imaging.deid.table import Entry, load_table

PAGE = Path("docs/deidentification.md")
BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"

_DONE = {
    Action.REMOVE: "removed",
    Action.EMPTY: "emptied",
    Action.DUMMY: "dummy",
    Action.DUMMY_OR_EMPTY: "dummy; empty stays empty",
    Action.KEEP: "kept",
    Action.CLEAN: "cleaned",
    Action.UID: "mapped",
    Action.DATE: "shifted",
    Action.PATIENT: "pseudonym",
    Action.WALK: "items walked",
    Action.COLOUR: "built anew without texts",
}


def generated() -> str:
    """The generated part of the page: options with codes, unlisted, private, and all listed attributes."""
    return "\n".join([*_options(), "", *_unlisted(), "", *_private(), "", *_listed()])


def replaced(page: str) -> str:
    """A page with its generated part made anew."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{generated()}\n{END}{tail}"


def _options() -> list[str]:
    rows = [f"| (always) | {PROFILE[0]} | {PROFILE[1]} |"]
    rows += [f"| `{_setting(name)}` | {code} | {meaning} |" for name, (code, meaning) in CODES.items()]
    return [
        "### Options and their codes (CID 7050)",
        "",
        "| setting | code | meaning |",
        "|---|---|---|",
        *rows,
    ]


def _setting(name: str) -> str:
    return "dates: shift" if name == "longitudinal" else f"{name}: true"


def _unlisted() -> list[str]:
    chosen, listed = actions(Options()), load_table().entries
    counts: Counter[tuple[str, str]] = Counter()
    for tag, vr in VRS.items():
        if tag not in listed and tag >> 16 >= 8:
            counts[vr, _DONE[chosen.get(tag, Action.REMOVE)]] += 1
    rows = [f"| {vr} | {count} | {done} |" for (vr, done), count in sorted(counts.items())]
    return [
        "### Attributes that the standard's table does not list",
        "",
        "| VR | attributes | Basic Profile alone |",
        "|---|---|---|",
        *rows,
        "",
        "Kept as technical text: " + ", ".join(sorted(TECHNICAL)) + ".",
    ]


def _private() -> list[str]:
    rows = [
        f"| {creator} | ({group:04X},xx{element:02X}) | {vr} | {meaning(creator, group, element) or '—'} |"
        for (creator, group, element), vr in sorted(safe_private().items())
    ]
    return [
        "### Private elements that `safe_private: true` keeps (of PS3.15 table E.3.10-1)",
        "",
        "| creator | element | VR | pydicom's name for it |",
        "|---|---|---|---|",
        *rows,
    ]


def _listed() -> list[str]:
    table, chosen = load_table(), actions(Options())
    rows = [_row(entry, _DONE[chosen.get(entry.tag, Action.REMOVE)]) for entry in table.entries.values()]
    return [
        f"### Attributes of PS3.15 table E.1-1 ({table.edition})",
        "",
        "| tag | attribute | standard | here | with an option |",
        "|---|---|---|---|---|",
        *rows,
    ]


def _row(entry: Entry, done: str) -> str:
    tag = f"({entry.tag >> 16:04X},{entry.tag & 0xFFFF:04X})"
    changes = []
    for name in entry.options:
        setting = {"dates": "shift"} if name == "longitudinal" else {name: True}
        other = actions(Options.model_validate(setting)).get(entry.tag, Action.REMOVE)
        if _DONE[other] != done:
            changes.append(f"{name}: {_DONE[other]}")
    return f"| {tag} | {entry.keyword or '—'} | {entry.basic} | {done} | {'; '.join(changes)} |"


def main() -> int:
    """Writes the generated part, or with `--check` says whether it is up to date (exit code 1 if not)."""
    page = PAGE.read_text("utf-8")
    if "--check" in sys.argv[1:]:
        return 0 if replaced(page) == page else 1
    PAGE.write_text(replaced(page), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
