"""`wardround plan verify`: is a plan exactly what its recipe says?"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wardround.errors import ConfigurationError
from wardround.plan.format import Manifest, load_plan
from wardround.plan.verification import Verification, not_covered, verdict

if TYPE_CHECKING:
    from wardround.site.settings import SiteSettings

_EXIT = {"verified": 0, "not-verified": 1, "differs": 3, "authors-own": 4}

Settings = Annotated[
    Path | None,
    typer.Option(
        "--settings", help="The site's settings: to fetch a DIGEST from the exchange, and for --work."
    ),
]
Work = Annotated[
    Path | None,
    typer.Option(
        envvar="WARDROUND_SITE_WORK",
        help="The site's work folder: the finding is kept there for review, show, approve and the runs.",
    ),
]
Seconds = Annotated[float, typer.Option("--timeout", min=1, help="Seconds that compiling may take.")]


def verify(
    plan: Annotated[str, typer.Argument(help="Folder of the plan, or its digest (with --settings).")],
    settings: Settings = None,
    work: Work = None,
    timeout: Seconds = 1800.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the finding as JSON.")] = False,
) -> None:
    """Compile the plan's recipe again with this machine's own compiler, and compare digests.

    Exit codes: 0 verified, the graphs are exactly what the recipe says; 3 they are not, and the lines say what differs;
    4 the recipe names Python files, so it cannot be told; 1 it could not be found out. Nothing of the plan is executed.
    The compiler's environment (about 1.8 GB) is set up at first use, or named by WARDROUND_COMPILER_PYTHON.
    """
    from wardround.plan_verification import verify_plan
    from wardround.site.verifying import keep_verification

    manifest, graphs, own_work = _find(plan, settings)
    with _progress() as say:
        found = verify_plan(manifest, graphs=graphs, seconds=timeout, progress=say)
    kept = work or own_work
    if kept is not None and found.state != "not-verified":
        keep_verification(kept, found)
    typer.echo(found.model_dump_json() if as_json else _words(found, manifest))
    raise typer.Exit(_EXIT[found.state])


def _words(found: Verification, manifest: Manifest) -> str:
    lines = [verdict(found, manifest)]
    if found.state == "verified":
        lines += [f"Not covered: {words}" for words in not_covered(manifest.recipe_model())]
    return "\n".join([*lines, *(f"  differs: {line}" for line in found.differences)])


def _find(plan: str, settings: Path | None) -> tuple[Manifest, Path | None, Path | None]:
    """The manifest, the folder of its graphs if they are here, and the site's work folder if settings are given."""
    from wardround.site.settings import SiteSettings

    site = SiteSettings.load(settings) if settings is not None else None
    work = site.work if site is not None else None
    folder = Path(plan)
    if folder.is_dir():
        return load_plan(folder).manifest, folder, work
    if site is None:
        raise ConfigurationError(
            f"{plan[:80]!r} is no folder; give a plan's folder, or its digest with --settings, which name the exchange"
        )
    if (here := site.work / "plans" / plan).is_dir():
        return load_plan(here, expected=plan).manifest, here, work
    return _fetched(plan, site), None, work


def _fetched(digest: str, site: "SiteSettings") -> Manifest:
    import threading

    from wardround.exchange.connect import open_patient
    from wardround.exchange.layout import Layout
    from wardround.plan_store import fetch_manifest

    exchange = open_patient(site.exchange, site.outage_s, threading.Event())
    return fetch_manifest(exchange.store(Layout(site.federation).federation), digest)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """A spinner on a terminal, elsewhere a line for each step; both on stderr."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda step: typer.echo(step, err=True)
        return
    with console.status("compiling the recipe again") as status:
        yield lambda step: status.update(f"compiling the recipe again: {step}")
