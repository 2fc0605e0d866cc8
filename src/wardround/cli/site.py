"""`wardround site …`: a hospital's steps."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from wardround.cli.keys import key
from wardround.cli.options import Step, step
from wardround.cli.site_check import check, prepare
from wardround.site.settings import SiteSettings

app = typer.Typer(no_args_is_help=True, help="A hospital's steps in a run.", add_completion=False)
app.command("key")(key)

_PREFIX = "WARDROUND_SITE_"
# Where no data set is read, none has to be named.
_NO_DATA = {"data": "datasets"}
# Nor a run, where nothing takes part in one.
app.command("check")(step(SiteSettings, _PREFIX, **_NO_DATA, run="none")(check))
app.command("prepare")(prepare)
Labels = Annotated[Path | None, typer.Option(help="CSV: an identifier (accession, study, …) and a label.")]
SplitKey = Annotated[
    Path | None, typer.Option(help="Secret that assigns patients to splits; made if not given.")
]
Workers = Annotated[int | None, typer.Option(min=0, help="Processes; as many as CPUs if not given.")]
Show = Annotated[
    bool, typer.Option(help="Give the hospital's own figures to Kubeflow too: only to one of its own.")
]


@app.command()
@step(SiteSettings, _PREFIX, **_NO_DATA)
def preprocess(
    given: Step[SiteSettings],
    labels: Labels = None,
    split_key: SplitKey = None,
    workers: Workers = None,
) -> None:
    """Make the dataset that the run's plan takes from DICOM files and a label table.

    --dicom is a folder, s3://bucket/prefix, or https://archive/dicom-web; --select says in YAML, or in a YAML
    file, what to take from there. The login is a file that WARDROUND_SOURCE_CREDENTIALS_FILE names.
    """
    from wardround.cli.steps import required
    from wardround.cli.steps_site import run_preprocess
    from wardround.imaging.sources.settings import image_source
    from wardround.site.intake import Source

    key_file = given.given("split_key", split_key)
    source = Source(
        images=image_source(required(given, "dicom", given.settings.dicom), given.settings.select),
        labels=Path(required(given, "labels", labels)),
        split_key=Path(key_file) if key_file else None,
        workers=workers,
    )
    run_preprocess(given, source)


@app.command()
@step(SiteSettings, _PREFIX)
def train(given: Step[SiteSettings]) -> None:
    """Take part in a run until it ends."""
    from wardround.cli.steps_site import run_train

    run_train(given)


@app.command()
@step(SiteSettings, _PREFIX)
def evaluate(given: Step[SiteSettings], show_local_figures: Show = False) -> None:
    """Score the finished run's champion on the site's held-out patients; the report stays in the work folder."""
    from wardround.cli.steps_site import run_evaluate

    run_evaluate(given, bool(given.given("show_local_figures", show_local_figures or None)))


@app.command()
@step(SiteSettings, _PREFIX, **_NO_DATA)
def review(given: Step[SiteSettings]) -> None:
    """Wait for the run, fetch its plan, check its operations, and show what would leave the hospital."""
    from rich.console import Console

    from wardround.cli.steps_site import fetch
    from wardround.plan.pages import plan_pages
    from wardround.processes import run_until_signal

    Console().print(plan_pages(run_until_signal(partial(fetch, given.settings))))


@app.command()
def approve(
    digest: Annotated[str, typer.Argument(help="The plan's digest, 64 hexadecimal digits.")],
    approvals: Annotated[
        Path,
        typer.Option(envvar="WARDROUND_SITE_APPROVALS", help="Folder of approvals, as the settings name it."),
    ],
) -> None:
    """Allow a plan to run at this site."""
    from wardround.exchange.layout import check_digest

    approvals.mkdir(parents=True, exist_ok=True)
    (approvals / check_digest(digest)).touch()
    typer.echo(f"approved: {approvals / digest}")
