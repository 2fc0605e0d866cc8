"""`wardround coordinator check`: before the first run, and for `helm test`."""

from pathlib import Path
from typing import Annotated

import typer


def check(
    settings: Annotated[Path, typer.Option(help="The coordinator's settings (YAML or JSON).")],
) -> None:
    """Look whether a run could be opened: the buckets, writes that stay, the key, the registry's login.

    Prints a table. Exits with 1 if something is wrong; what cannot be told yet is no failure.
    """
    from wardround.cli.findings import show
    from wardround.coordinator.publish import PREFIX
    from wardround.coordinator.readiness import CheckSettings, exchange_findings, registry_finding
    from wardround.log_lines import set_up_logging
    from wardround.processes import load_settings

    set_up_logging()
    given = load_settings(CheckSettings, settings, PREFIX)
    found = [*exchange_findings(given)]
    found += [registry_finding(given.tracking_uri)] if given.tracking_uri else []
    raise typer.Exit(show(found))
