"""`wardround plan …`"""

from pathlib import Path
from typing import Annotated

import typer

from wardround.cli.plan_verify import verify

app = typer.Typer(no_args_is_help=True, help="Look at a plan, verify it, or run it on arrays.")
app.command()(verify)

Folder = Annotated[Path, typer.Argument(help="Folder of the plan.")]
Named = Annotated[str, typer.Argument(help="Folder of the plan, or its digest.")]
Work = Annotated[
    Path | None,
    typer.Option(
        envvar="WARDROUND_SITE_WORK", help="The hospital's work folder, with its plans and what was verified."
    ),
]


@app.command()
def show(
    plan: Named,
    work: Work = None,
    all_operations: Annotated[
        bool, typer.Option("--operations", help="List every operation with its count.")
    ] = False,
) -> None:
    """Show whether the plan is verified, exactly what leaves a hospital, and what the plan's author says of it.

    By its digest, a plan in the hospital's work folder; one that is not there yet is fetched by the site's next start.
    """
    from rich.console import Console

    from wardround.plan.format import load_plan
    from wardround.plan.pages import plan_pages
    from wardround.site.verifying import read_verification

    found = load_plan(_folder(plan, work))
    known = read_verification(work, found.digest) if work is not None else None
    Console().print(plan_pages(found, known, every_operation=all_operations))


def _folder(plan: str, work: Path | None) -> Path:
    """The plan's folder. Raises ConfigurationError for a digest of a plan that has still to be fetched."""
    from wardround.errors import ConfigurationError

    if work is None or Path(plan).is_dir():
        return Path(plan)
    from wardround.site.plan_folder import ask_for_graphs, plan_folder

    folder = plan_folder(work, plan)
    if not folder.is_dir():
        ask_for_graphs(work, plan)
        raise ConfigurationError(
            f"plan {plan} is not in {str(work)!r} yet: nobody had asked for it. The next start of the site fetches it; "
            "then look again",
            code="not-fetched",
        )
    return folder


@app.command()
def run(
    plan: Folder,
    data: Annotated[Path, typer.Argument(help="NPZ with x0, y0, x1, y1, …: images and labels of each site.")],
    rounds: Annotated[int, typer.Option(min=1, help="Rounds to run.")] = 3,
    out: Annotated[Path | None, typer.Option(help="NPZ to write the final weights to.")] = None,
) -> None:
    """Simulate: run the plan's rounds in this process, all sites one after another."""
    from wardround.cli.echo import echo
    from wardround.plan.format import load_plan
    from wardround.plan.program import Program
    from wardround.plan.simulation import load_sites, round_line, save_weights, simulate

    program, state = Program(load_plan(plan)), None
    for done in simulate(program, load_sites(data, program), rounds):
        echo(round_line(done))
        state = done.state
    if out and state is not None:
        save_weights(out, program.weights(state))
