"""`wardround site …`: a hospital's steps."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from wardround.cli.echo import echo
from wardround.cli.keys import key
from wardround.cli.options import Step, step
from wardround.cli.site_check import check, prepare
from wardround.site.settings import SiteSettings

app = typer.Typer(no_args_is_help=True, help="A hospital's steps in a run.", add_completion=False)
app.command("key")(key)

_PREFIX = "WARDROUND_SITE_"
app.command("check")(step(SiteSettings, _PREFIX, run="none")(check))
app.command("prepare")(prepare)
# Where Kubeflow mounts the hospital's images, when nothing else is said.
_IMAGES = "/images"
_LABELS = Path("/images/labels.csv")
Workers = Annotated[int | None, typer.Option(min=0, help="Processes; as many as CPUs if not given.")]
Show = Annotated[
    bool, typer.Option(help="Give the hospital's own figures to Kubeflow too: only to one of its own.")
]


@app.command()
@step(SiteSettings, _PREFIX)
def verify(given: Step[SiteSettings]) -> None:
    """Compile the recipe of the run's plan again, and keep whether the plan is exactly what it says.

    The first step of a pipeline, where the compiler is; in a shell, wardround plan verify does the same for any plan.
    """
    from wardround.cli.steps_verify import run_verify

    run_verify(given)


@app.command()
@step(SiteSettings, _PREFIX)
def preprocess(given: Step[SiteSettings], workers: Workers = None) -> None:
    """Make the dataset that the run's plan takes from DICOM files and a label table.

    --dicom is a folder, s3://bucket/prefix, or https://archive/dicom-web; --select says in YAML, or in a YAML
    file, what to take from there. The login is a file that WARDROUND_SOURCE_CREDENTIALS_FILE names. Without --run the
    newest open run is taken.
    """
    from wardround.cli.steps import required
    from wardround.cli.steps_site import begin, run_preprocess

    begin(given.settings)
    from wardround.imaging.sources.settings import image_source
    from wardround.site.intake import Source

    mounted = given.executor.is_task
    source = Source(
        images=image_source(
            required("dicom", given.settings.dicom or (_IMAGES if mounted else None)), given.settings.select
        ),
        labels=required("labels", given.settings.labels or (_LABELS if mounted else None)),
        split_key=given.settings.split_key,
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
@step(SiteSettings, _PREFIX)
def review(given: Step[SiteSettings]) -> None:
    """Wait for the run, fetch its plan, check its operations, verify it, and show what would leave the hospital.

    Verifying compiles the plan's recipe again, once, where a compiler is set up (--verify never leaves it out).
    """
    from rich.console import Console

    from wardround.cli.steps_site import fetch
    from wardround.plan.pages import plan_pages
    from wardround.processes import run_until_signal
    from wardround.site.approvals import how_approved

    plan, found = run_until_signal(partial(fetch, given.settings))
    Console().print(plan_pages(plan, found, approval=how_approved(given.settings, plan.digest)))


@app.command()
def approve(
    digest: Annotated[str, typer.Argument(help="The plan's digest, 64 hexadecimal digits.")],
    approvals: Annotated[
        Path,
        typer.Option(envvar="WARDROUND_SITE_APPROVALS", help="Folder of approvals, as the settings name it."),
    ],
    key: Annotated[
        Path | None,
        typer.Option(help="Sign with this key: the data steward's (PEM; wardround site key makes one)."),
    ] = None,
    federation: Annotated[str, typer.Option(help="With --key: the federation.")] = "",
    site: Annotated[str, typer.Option(help="With --key: this site's name in it.")] = "",
    runs: Annotated[
        int | None,
        typer.Option(min=1, help="With --key: in how many runs it may be trained; any number if not given."),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(envvar="WARDROUND_SITE_WORK", help="The work folder, where what was verified is kept."),
    ] = None,
) -> None:
    """Allow a plan to run at this site. Where the settings name data stewards' keys, only a signed approval counts.

    The approval says on what it rests: verified, the author's own graphs, or not verified (wardround plan verify).
    """
    from wardround.exchange.envelope import SigningKey
    from wardround.exchange.layout import check_digest
    from wardround.site.approvals import sign_approval, unsigned_approval, write_approval
    from wardround.site.verifying import read_verification

    basis = "not-verified" if work is None else read_verification(work, check_digest(digest)).basis
    if key is None:
        content = unsigned_approval(basis)
    else:
        content = sign_approval(digest, federation, site, SigningKey.load(key), basis, runs)
    said = write_approval(approvals, digest, content)
    echo(f"approved as {basis}{', signed' if key is not None else ''}: {said}")
