"""The demo: a federation of hospitals on one machine, by the same pipelines that run on Kubeflow.

    data ─→ plan ─→ keys, S3 ─→ coordinator + one process per hospital ─→ baselines ─→ report

Every step finds what an earlier demo in the folder has finished, so `--resume` goes on anywhere.
"""

import shlex
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from wardround.errors import StoppedError
from wardround.exchange.messages import FinalMessage
from wardround.imaging.settings import available_cpus
from wardround.local.batch import Report as Tell
from wardround.local.batch import run_batch
from wardround.local.children import Task
from wardround.local.demo_choices import Choices, Wishes, choose, resume, save
from wardround.local.demo_data import data_tasks
from wardround.local.demo_folder import DemoFolder, claim
from wardround.local.federate import create_buckets, federate
from wardround.local.launch import Federation, compile_task
from wardround.local.seaweed import SeaweedServer
from wardround.local.setup import Parties, approve, set_up, set_up_splits
from wardround.plan.format import MANIFEST_NAME, load_plan
from wardround.private_files import keep_private, tighten


class Demo:
    """One demo in its folder, which says on `console` what it does."""

    def __init__(self, folder: DemoFolder, choices: Choices, console: Console, stop: threading.Event) -> None:
        self._folder = folder
        self._choices = choices
        self._console = console
        self._stop = stop

    def run(self, *, with_report: bool) -> None:
        """Does all steps. Raises WardroundError; StoppedError when asked to stop."""
        self._data()
        digest = self._plan()
        set_up_splits(self._folder, self._choices)
        parties = set_up(self._folder, self._choices.sites)
        approve(self._folder, self._choices.sites, digest)
        self._say(f"[bold]approval[/] the demo's data stewards approve plan {digest[:12]} at every hospital")
        with self._exchange(parties) as address:
            federation = Federation(self._folder, self._choices, parties, address, digest)
            create_buckets(federation)
            last = federate(federation, self._console, self._stop)
            if with_report and last.final is not None:
                self._report(federation, last.final, sum(row.seconds or 0.0 for row in last.rows))
        self._farewell(with_report=with_report)

    def _data(self) -> None:
        self._say(f"[bold]data[/] {self._choices.described()}; hospitals: {', '.join(self._choices.sites)}")
        self._batch(data_tasks(self._choices, self._folder), "hospitals")

    def _plan(self) -> str:
        if not (self._folder.plan / MANIFEST_NAME).is_file():
            values = self._choices.recipe.resolved()
            self._folder.recipe.write_text(yaml.safe_dump(values, sort_keys=False))
            self._say("[bold]plan[/] compiling the recipe; the first time ever, this sets the compiler up")
            self._batch([compile_task(self._folder, self._choices)], "compiling")
        digest = load_plan(self._folder.plan).digest
        self._say(
            f"[bold]plan[/] {digest[:12]}: what it does and sends is shown by wardround plan show {self._folder.plan}"
        )
        return digest

    @contextmanager
    def _exchange(self, parties: Parties) -> Iterator[str]:
        """The exchange's address, while it can be used."""
        if self._choices.exchange_url is not None:
            self._say(
                f"[bold]exchange[/] {self._choices.exchange_url}, with the identity of this environment for all"
            )
            yield self._choices.exchange_url
            return
        with SeaweedServer(self._folder.exchange, parties.identities) as server:
            self._say(
                f"[bold]exchange[/] S3 server {server.endpoint}, each hospital with its own credentials"
            )
            yield server.endpoint

    def _report(self, federation: Federation, final: FinalMessage, seconds: float) -> None:
        # Not at the top: what draws and computes intervals takes seconds to import.
        from wardround.evaluation.tables import report_view
        from wardround.local.demo_report import Ended, make_report, scoring_jobs, scoring_tasks

        ended = Ended(federation, final, seconds)
        tasks = scoring_tasks(ended, scoring_jobs(ended))
        if tasks:
            self._say(
                "[bold]comparison[/] training each hospital alone, and all images pooled, by the same plan"
            )
        self._batch(tasks, "rounds of the baselines")
        self._console.print(report_view(make_report(ended)))
        self._say("intervals: 95 % bootstrap percentiles, drawn by patient")

    def _batch(self, tasks: Sequence[Task], title: str) -> None:
        with progress_bar(self._console, title) if tasks else nullcontext(lambda done, total: None) as tell:
            run_batch(tasks, self._folder.root, self._stop, at_once=available_cpus(), report=tell)

    def _farewell(self, *, with_report: bool) -> None:
        root = shlex.quote(str(self._folder.root))
        self._say("[bold]where to look next[/]")
        if with_report:
            self._say(f"  report           {self._folder.page} and report.json")
        uri = shlex.quote(self._folder.tracking_uri)
        self._say(f"  every round      mlflow ui --backend-store-uri {uri}")
        self._say(f"  the plan         wardround plan show {root}/plan")
        self._say(f"  logs             {self._folder.root / 'logs'}")

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def run_demo(wishes: Wishes, console: Console, stop: threading.Event) -> None:
    """The whole command. Raises WardroundError; the message of a StoppedError says how to go on."""
    keep_private()
    folder, lock = claim(wishes.folder, resume=wishes.resume, fresh=wishes.fresh)
    with lock:
        tighten(folder.root)
        choices = resume(wishes, folder.state) if wishes.resume else choose(wishes)
        save(choices, folder.state)
        try:
            Demo(folder, choices, console, stop).run(with_report=wishes.report)
        except StoppedError as error:
            again = f"wardround demo --resume --folder {shlex.quote(str(wishes.folder))}"
            raise StoppedError(f"stopped, and nothing is left running; go on with: {again}") from error


@contextmanager
def progress_bar(console: Console, title: str) -> Iterator[Tell]:
    """A bar on a terminal; elsewhere nothing but what is said before and after."""
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
