"""`wardround pipeline …`: from a profile to a pipeline in Kubeflow, and to its runs."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from wardround.cli.echo import echo
from wardround.cli.kubeflow_options import Place, at_kubeflow
from wardround.errors import ConfigurationError

if TYPE_CHECKING:
    import threading

    from wardround.cluster.connect import Cluster
    from wardround.kubeflow.client import Kubeflow
    from wardround.kubeflow.keep import Kept, Rule
    from wardround.kubeflow.profile import Profile
    from wardround.kubeflow.register import Version
    from wardround.kubeflow.start import Order

app = typer.Typer(no_args_is_help=True, help="Pipelines in Kubeflow.", add_completion=False)

Which = Annotated[Literal["site", "coordinator", "compile"], typer.Argument(help="Which pipeline.")]
ProfileFile = Annotated[
    Path,
    typer.Option("--profile", help="What the namespace has: names of Secrets, claims, resources (YAML)."),
]
Parameters = Annotated[
    Path | None, typer.Option(help="Parameters of the run (YAML or JSON): those of Kubeflow's form.")
]
Cron = Annotated[
    str | None,
    typer.Option(
        "--recurring-cron", help="Start it again and again: 5 fields (minute first) or 6 (second first)."
    ),
]
Seconds = Annotated[
    int | None, typer.Option("--recurring-seconds", min=1, help="Start it again so many seconds later.")
]
Once = Annotated[bool, typer.Option("--run-once", help="Start one run, unless the same was started before.")]
Off = Annotated[bool, typer.Option("--no-recurring", help="Disable the recurring run, if there is one.")]


@app.command("compile")
def compile_(
    which: Which,
    profile: ProfileFile,
    out: Annotated[Path, typer.Option("--out", help="File to write (YAML).")],
) -> None:
    """Compile a pipeline for a namespace into a file that can be uploaded to Kubeflow."""
    from wardround.kubeflow.package import compile_package
    from wardround.kubeflow.profile import Profile

    echo(compile_package(which, Profile.load(profile), out))


@app.command()
@at_kubeflow()
def register(
    which: Which,
    profile: ProfileFile,
    place: Place,
    parameters: Parameters = None,
    recurring_cron: Cron = None,
    recurring_seconds: Seconds = None,
    run_once: Once = False,
    no_recurring: Off = False,
) -> None:
    """Compile a pipeline, upload it where its content is new, and start it or have it started again and again."""
    from wardround.kubeflow.profile import Profile

    recurring = recurring_cron is not None or recurring_seconds is not None
    if recurring and no_recurring:
        raise ConfigurationError("--no-recurring goes with neither --recurring-cron nor --recurring-seconds")
    chosen = Profile.load(profile)
    kubeflow = place.connect()
    version = _register(kubeflow, which, chosen)
    runs = _Runs(kubeflow, chosen, version, _read(parameters))
    if recurring:
        runs.keep(recurring_cron, recurring_seconds)
    if no_recurring:
        runs.disable()
    if run_once:
        runs.start_once()


@app.command()
@at_kubeflow(links=False)
def check(place: Place) -> None:
    """See that Kubeflow Pipelines accepts this account in its namespace."""
    from wardround.kubeflow.register import count_runs

    kubeflow = place.connect()
    echo(
        f"Kubeflow Pipelines at {place.kfp_url} accepts us in {kubeflow.namespace}: {count_runs(kubeflow)} runs"
    )


@app.command()
@at_kubeflow(links=False)
def keep(
    place: Place,
    most: Annotated[int, typer.Option(min=0, help="With --watch: how often a run may be started again.")] = 5,
    within_seconds: Annotated[float, typer.Option(min=0, help="Leave runs that ended before.")] = 3600.0,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C, as the charts do.")] = False,
    health_port: Annotated[
        int | None, typer.Option(help="With --watch: answer GET with 200 while all is well.")
    ] = None,
) -> None:
    """Start steps again whose pods the cluster took away: a node was drained, a pod was deleted.

    Kubeflow retries steps that fail, and ends a run whose pod is gone.
    """
    from wardround.cluster.connect import connect as connect_cluster
    from wardround.kubeflow.keep import Rule
    from wardround.kubeflow.keep import keep as keep_once

    kubeflow = place.connect()
    cluster = connect_cluster(kubeflow.namespace)
    if watch:
        _keep_watching(kubeflow, cluster, Rule(most, within_seconds), health_port)
    else:
        for kept in keep_once(kubeflow, cluster, within_seconds):
            _tell(kept)


def _keep_watching(kubeflow: "Kubeflow", cluster: "Cluster", rule: "Rule", port: int | None) -> None:
    from wardround.kubeflow.alive import Pulse
    from wardround.kubeflow.keep import keep_watching
    from wardround.processes import run_until_signal

    pulse = Pulse(limit_s=300)
    if port is not None:
        pulse.serve(port)
    echo(f"watching the runs of {kubeflow.namespace}")

    def work(stop: "threading.Event") -> None:
        for _ in keep_watching(kubeflow, cluster, rule, _tell, stop):
            pulse.beat()

    run_until_signal(work)


def _tell(kept: "Kept") -> None:
    echo(f"run {kept.name}: step {kept.lost.step} was lost ({kept.lost.message}); {kept.what}")


def _register(kubeflow: "Kubeflow", which: str, profile: "Profile") -> "Version":
    from wardround.kubeflow.package import compile_package
    from wardround.kubeflow.register import register as register_version

    with tempfile.TemporaryDirectory() as folder:
        package = compile_package(which, profile, Path(folder) / f"{which}.yaml")
        version = register_version(kubeflow, which, package)
    said = "uploaded" if version.is_new else "was there"
    echo(f"pipeline {version.pipeline}: version {version.version} {said}")
    return version


class _Runs:
    """The runs of one registered pipeline."""

    def __init__(
        self, kubeflow: "Kubeflow", profile: "Profile", version: "Version", parameters: dict[str, Any]
    ) -> None:
        self._kubeflow, self._version, self._parameters = kubeflow, version, parameters
        self._federation = profile.federation or "wardround"
        self._party = profile.name or profile.party

    def keep(self, cron: str | None, seconds: int | None) -> None:
        """The recurring run as it should be."""
        from wardround.kubeflow.recurring import RECURRING, Schedule, keep_recurring

        order = self._order(RECURRING)
        kept = keep_recurring(self._kubeflow, order, Schedule(cron, seconds))
        echo(f"recurring run {order.title}: {kept}")

    def disable(self) -> None:
        """No recurring run any more."""
        from wardround.kubeflow.recurring import disable_recurring

        count = disable_recurring(self._kubeflow, self._version)
        echo(f"recurring run of {self._version.pipeline}: {'disabled' if count else 'none was enabled'}")

    def start_once(self) -> None:
        """One run, once."""
        from wardround.kubeflow.start import start_once

        started = start_once(self._kubeflow, self._order(str(self._parameters.get("run") or "")))
        echo(f"run {started.name}: {'started' if started.is_new else 'was there'}, {started.link}")

    def _order(self, run: str) -> "Order":
        from wardround.kubeflow.register import experiment
        from wardround.kubeflow.start import Order, run_title

        place, title = (
            experiment(self._kubeflow, self._federation),
            run_title(self._federation, run, self._party),
        )
        return Order(title, place, self._version, self._parameters)


def _read(path: Path | None) -> dict[str, Any]:
    from wardround.kubeflow.parameters import read_parameters

    return {} if path is None else read_parameters(path)
