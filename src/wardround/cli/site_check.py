"""`wardround site check` and `wardround site prepare`: before the first run, and for `helm test`."""

from pathlib import Path
from typing import Annotated

import typer

from wardround.cli.echo import echo
from wardround.cli.options import Step
from wardround.site.settings import SiteSettings

Files = Annotated[int, typer.Option(min=0, help="How many files of the images' folder are read.")]
Other = Annotated[str | None, typer.Option(help="Another site, whose bucket must be refused.")]


def check(given: Step[SiteSettings], files: Files = 20, other_site: Other = None) -> None:
    """Look whether a run could work: the exchange, the buckets that must be refused, the images, the labels.

    Prints a table. Exits with 1 if something is wrong; what cannot be told yet is no failure.
    """
    from wardround.cli.findings import show
    from wardround.site.readiness import exchange_findings
    from wardround.site.readiness_images import image_findings, label_finding

    settings, labels = given.settings, given.settings.labels
    found = [*exchange_findings(settings, other_site), *image_findings(settings, files, labels)]
    found += [label_finding(labels, settings.label_encoding)] if labels else []
    raise typer.Exit(show(found))


def prepare(
    work: Annotated[Path, typer.Option(help="The work folder, which runs write to.")],
    images: Annotated[Path | None, typer.Option(help="The images' folder, which runs read.")] = None,
) -> None:
    """See that the work folder can be written and the images' folder be read, and make what is missing in work."""
    from wardround.site.volumes import check_readable, prepare_work

    echo(f"work: {prepare_work(work)}")
    if images is not None:
        echo(f"images: {check_readable(images)}")
