"""`wardround quarantine …`: a person decides about images that may show who the patient is."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wardround.cli.echo import echo

if TYPE_CHECKING:
    from wardround.imaging.quarantine import Entry

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Images that may show who the patient is wait here for a person. A decision is for exactly the files that "
    "were looked at, and the next preprocessing follows it. Pictures stay in the site's work folder.",
)


class Shown(StrEnum):
    """Which entries to list."""

    WAITING = "waiting"
    RELEASED = "released"
    REJECTED = "rejected"
    ALL = "all"


Work = Annotated[Path, typer.Option(envvar="WARDROUND_SITE_WORK", help="The site's work folder.")]
Which = Annotated[list[str], typer.Argument(metavar="ID…", help="Ids as listed, or their first digits.")]
One = Annotated[str, typer.Argument(metavar="ID", help="Id as listed, or its first digits.")]
By = Annotated[str, typer.Option(envvar="WARDROUND_QUARANTINE_BY", help="Who decides: a name or initials.")]


@app.command("list")
def list_entries(
    work: Work, state: Annotated[Shown, typer.Option(help="Entries in this state.")] = Shown.WAITING
) -> None:
    """List what waits, oldest first."""
    from rich.console import Console
    from rich.table import Column, Table

    from wardround.imaging.quarantine import Quarantine, State
    from wardround.text import for_rich

    entries = Quarantine(work).entries(None if state == Shown.ALL else State(state.value))
    if not entries:
        echo("nothing in quarantine" if state == Shown.ALL else f"nothing in quarantine is {state.value}")
        return
    table = Table(Column("id", no_wrap=True), "since", "kind", "files", "reasons", "boxes", "state", "by")
    for entry in entries:
        since, reasons = f"{entry.since:%Y-%m-%d %H:%M}", ", ".join(entry.reasons)
        counts = str(entry.files), str(len(entry.boxes))
        table.add_row(
            entry.id, since, entry.modality, counts[0], reasons, counts[1], entry.state, for_rich(entry.by)
        )
    Console().print(table)


@app.command()
def show(name: One, work: Work) -> None:
    """Print what is known about an entry, and where its picture lies."""
    from wardround.imaging.quarantine import Quarantine

    store = Quarantine(work)
    entry = store.get(name)
    facts = {
        "id": entry.id,
        "kind": entry.modality,
        "files": entry.files,
        "reasons": ", ".join(entry.reasons),
        "boxes": "; ".join(f"{left},{top} to {right},{bottom}" for left, top, right, bottom in entry.boxes),
        "frames": f"{entry.frames[0] + 1} to {entry.frames[1]}" if entry.frames else "",
        "content": entry.content,
        "since": entry.since.isoformat(),
        "state": entry.state,
        "decided": f"{entry.at.isoformat()} by {entry.by}" if entry.at else "",
        "picture": store.picture(entry) or "none",
    }
    for title, fact in facts.items():
        echo(f"{title:9}{fact}")


@app.command()
def release(names: Which, work: Work, by: By) -> None:
    """Let the next preprocessing use these entries."""
    _decide(names, work, by, "released")


@app.command()
def reject(names: Which, work: Work, by: By) -> None:
    """Keep these entries out for good; they aren't asked about again."""
    _decide(names, work, by, "rejected")


def _decide(names: list[str], work: Path, by: str, state: str) -> None:
    from wardround.imaging.quarantine import Quarantine, State

    store: Quarantine = Quarantine(work)
    # All names are looked up first: a mistyped one leaves everything as it was.
    found: list[Entry] = [store.get(name) for name in names]
    for entry in found:
        store.decide(entry, State(state), by)
        echo(f"{state}: {entry.id}")
