"""`wardround deid SRC DST`"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wardround.cli.steps import LoggedProgress
from wardround.errors import ConfigurationError
from wardround.log_lines import set_up_logging
from wardround.processes import run_until_signal

if TYPE_CHECKING:
    from wardround.imaging.deid.folder import Job, Outcome

_LOG = logging.getLogger(__name__)
# Files that are no DICOM objects at all are passed over; any other refusal is somebody's to look at.
_PASSED_OVER = frozenset({"not-dicom", "empty-file", "not-a-regular-file", "media-directory"})
REFUSED = 3

Source = Annotated[Path, typer.Argument(metavar="SRC", help="Folder of DICOM files, with all its folders.")]
Target = Annotated[
    Path, typer.Argument(metavar="DST", help="New folder, outside SRC; or that of an earlier run, to go on.")
]
Key = Annotated[
    Path,
    typer.Option(
        "--key",
        help="The site's secret (16 bytes or more). With it go the pseudonyms: keep it safe, keep a copy, never give "
        "it away. The same key gives the same patient the same pseudonym.",
    ),
]
NewKey = Annotated[
    bool, typer.Option("--new-key", help="Make the key file first; an existing file is never replaced.")
]
OptionsFile = Annotated[
    Path | None,
    typer.Option(
        "--options", help="YAML file of the data steward's choices; without one, the Basic Profile."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Read and de-identify everything, and write no object.")
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report", help="File for a JSON line a file: output name, actions counted, or refusal code."
    ),
]
Names = Annotated[
    bool,
    typer.Option(
        "--source-names",
        help="Put the files' own names into the report, to find those that were refused. Names of files may name "
        "patients: such a report must not leave the hospital.",
    ),
]
Pixels = Annotated[
    bool,
    typer.Option(
        "--look-at-pixels/--headers-only",
        help="Blacken regions that are known to hold text, and refuse objects whose pixels may still show who the "
        "patient is: screens, documents, text that a detector finds.",
    ),
]
Links = Annotated[
    bool, typer.Option("--follow-links", help="Follow symbolic links below SRC, wherever they lead.")
]
Workers = Annotated[int | None, typer.Option(min=0, help="Processes; as many as CPUs if not given.")]


def deid(
    source: Source,
    target: Target,
    key: Key,
    new_key: NewKey = False,
    options: OptionsFile = None,
    dry_run: DryRun = False,
    report: Report = None,
    source_names: Names = False,
    look_at_pixels: Pixels = True,
    follow_links: Links = False,
    workers: Workers = None,
) -> None:
    """De-identify a folder of DICOM files to DICOM PS3.15 Annex E.

    Pixels beside ultrasound regions, shutters and the like become black; an object that may still show a name in its
    pixels is refused. SRC is only read. DST gets one file
    an object, patient/study/series/instance.dcm, all names pseudonyms. Run it again to go on after a stop, or when
    SRC has grown: what is done is not done again.

    A file that cannot be taken is refused with a code, and the rest goes on. Exit codes: 0 all DICOM objects are
    done; 3 some were refused; 1 an error; 2 usage; 130 and 143 stopped.
    """
    from wardround.imaging.deid.folder import Job, deidentify_folder
    from wardround.imaging.deid.options import load_options
    from wardround.imaging.deid.pseudonyms import make_key, read_key
    from wardround.imaging.deid.rules import Rules
    from wardround.imaging.settings import available_cpus

    set_up_logging()
    if source_names and report is None:
        raise ConfigurationError("--source-names goes with --report; give both")
    chosen = load_options(options)
    if new_key:
        make_key(key)
    processes = available_cpus() if workers is None else workers
    rules = Rules.of(chosen, read_key(key))
    job = Job(source, target, rules, processes, dry_run, look_at_pixels, follow_links)
    with _shown_progress() as progress:
        outcome = run_until_signal(lambda stop: deidentify_folder(job, progress, stop))
    if report is not None:
        outcome.write_report(report, names=source_names)
    _say(job, outcome)
    if any(reason not in _PASSED_OVER for reason in outcome.refused):
        raise typer.Exit(REFUSED)


def _say(job: "Job", outcome: "Outcome") -> None:
    for reason, count in sorted(outcome.refused.items()):
        _LOG.info("%s: %d (%s)", "passed over" if reason in _PASSED_OVER else "refused", count, reason)
    if outcome.masked:
        _LOG.info("blackened in parts: %d", outcome.masked)
    _LOG.info(
        "%d of %d files de-identified%s",
        outcome.done,
        len(outcome.files),
        "; dry run, nothing was written" if job.dry_run else f" in {job.target}",
    )


@contextmanager
def _shown_progress() -> Iterator[Callable[[int, int], None]]:
    """A function of (done, total): on a terminal a bar with rate and time left, elsewhere a log line each tenth."""
    from rich.console import Console

    from wardround.private_process import shown_stream

    console = Console(file=shown_stream())
    if not console.is_terminal:
        logged = LoggedProgress()
        yield lambda done, total: logged("files", done, total)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("de-identify"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        task = bars.add_task("files", total=None, rate="")

        def show(done: int, total: int) -> None:
            speed = bars.tasks[0].speed
            bars.update(task, completed=done, total=total, rate=f"{speed:.0f} files/s" if speed else "")

        yield show
