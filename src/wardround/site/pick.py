"""Which run to take part in, where none is named: the newest that is open, and that this site does not decline.

A pick is written down in the work folder under the id of the job that made it, so that a job that is started again
goes on with the run that it began, whatever has been opened since.
"""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

from wardround.errors import RefusedError
from wardround.exchange.envelope import PublicKey, SigningKey
from wardround.exchange.errors import MissingBucketError, MissingError
from wardround.exchange.files import whole_file
from wardround.exchange.layout import COORDINATOR, RUNS, Layout, RunKeys, check_run, run_of
from wardround.exchange.messages import DeclinedMessage, RunMessage
from wardround.exchange.records import Channel, Peer
from wardround.exchange.store import Exchange, Store
from wardround.exchange.waiting import wait_until
from wardround.recipe.bounds import MORE_THAN_APPROVED
from wardround.site.answers import why_used_up
from wardround.site.approvals import why_not_approved
from wardround.site.budget import OVER_BUDGET
from wardround.site.evidence import is_accused
from wardround.site.plan_folder import is_asked_for
from wardround.site.settings import SiteSettings
from wardround.site.verifying import UNVERIFIED, verification_of

_LOG = logging.getLogger(__name__)


def pick_run(settings: SiteSettings, exchange: Exchange, stop: threading.Event) -> str | None:
    """The name of the run that the settings give, or that this job picked before, or of the newest open one.

    Waits `start_wait_s` for one to be opened; None if none was. Raises ConfigurationError for a job id that cannot
    name a file, StoppedError, and errors of the exchange.
    """
    if settings.run:
        return settings.run
    note = _note(settings)
    if note is not None and note.exists():
        return check_run(note.read_text("utf-8"))
    picker = Picker(settings, exchange)
    found = wait_until([picker.shared], picker.look, seconds=settings.start_wait_s, stop=stop, prefix=RUNS)
    if found is not None and note is not None:
        note.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(note) as out:
            out.write(found.encode())
    return found


def _note(settings: SiteSettings) -> Path | None:
    if not settings.run_id:
        return None
    return settings.work / settings.federation / settings.site / "picks" / check_run(settings.run_id)


class Picker:
    """Looks at the federation's runs. What was found out about a run that cannot change is not asked for again."""

    def __init__(self, settings: SiteSettings, exchange: Exchange) -> None:
        self._settings, self._key = settings, SigningKey.load(settings.key_file)
        self._coordinator = Peer(COORDINATOR, PublicKey(settings.coordinator_key))
        self._self = Peer(settings.site, self._key.public)
        layout = Layout(settings.federation)
        self.shared: Store = exchange.store(layout.federation)
        self._own: Store = exchange.store(layout.site(settings.site))
        self._known: dict[str, RunMessage | None] = {}
        self._ended: set[str] = set()
        self._declined: dict[str, str] = {}
        self._looked = False
        self._passed_over: set[str] = set()

    def look(self) -> str | None:
        """The newest run that is open and not declined; of two opened in one second the last by name."""
        try:
            opened = self._open_runs()
        except MissingBucketError:
            return None  # a site may be started before the coordinator
        # `started` is UTC and the coordinator's alone: as text it sorts as the times do.
        newest = sorted(opened.items(), key=lambda item: (item[1].started, item[0]), reverse=True)
        return next((run for run, message in newest if not self._is_declined(run, message)), None)

    def _open_runs(self) -> dict[str, RunMessage]:
        return dict(self._read_all(self._later() if self._looked else self._first()))

    def _first(self) -> set[str]:
        """Runs that have not ended. All keys are listed this once: that is fewer requests than one for each run."""
        keys = [*self.shared.list(RUNS)]
        self._ended = {run for key in keys if (run := run_of(key, "final.json")) is not None}
        self._looked = True
        return {run for key in keys if (run := run_of(key, "run.json")) is not None} - self._ended

    def _later(self) -> set[str]:
        """The same, by one request for a thousand runs, and one for each that had not ended when it was last seen."""
        found = {run_of(f"{RUNS}{name}run.json", "run.json") for name in self.shared.names(RUNS)}
        left = {run for run in found if run is not None} - self._ended
        self._ended |= {run for run in left if self.shared.exists(RunKeys(run).final)}
        return left - self._ended

    def _read_all(self, runs: set[str]) -> Iterator[tuple[str, RunMessage]]:
        for run in sorted(runs):
            if run not in self._known:
                try:
                    self._known[run] = self._read(run)
                except MissingError:
                    continue  # it is just being opened
            if (message := self._known[run]) is not None:
                yield run, message

    def _read(self, run: str) -> RunMessage | None:
        channel = Channel(self._settings.federation, run, self._settings.site, self._key)
        try:
            return channel.read(self.shared, RunMessage, self._coordinator).message
        except RefusedError as error:
            _LOG.warning("run %s is passed over: %s [%s]", run, error, error.code)
            return None

    def _is_declined(self, run: str, message: RunMessage) -> bool:
        """Whether this site has said that it does not take part, and its reason is one still."""
        settings, digest = self._settings, message.plan_digest
        if is_accused(settings.work / settings.federation / settings.site / run):
            return self._pass_over(
                run, message, "is of a run against whose coordinator there is evidence here"
            )
        missing = why_not_approved(settings, digest) or why_used_up(settings, digest, run)
        over = "is over the privacy budget" if self._settings.privacy_budget else None
        if is_asked_for(settings.work, digest):
            return False
        code = self._declined_with(run, message)
        beyond = "asks for more than was approved" if code == MORE_THAN_APPROVED else None
        unverified = self._why_unverified(digest)
        why = missing or beyond or {OVER_BUDGET: over, UNVERIFIED: unverified}.get(code or "")
        if code is None or why is None:
            return False
        return self._pass_over(run, message, why)

    def _pass_over(self, run: str, message: RunMessage, why: str) -> bool:
        if run not in self._passed_over:
            self._passed_over.add(run)
            _LOG.warning("run %s is passed over: plan %s %s", run, message.plan_digest, why)
        return True

    def _why_unverified(self, digest: str) -> str | None:
        if self._settings.verify != "always" or verification_of(self._settings, digest).is_verified:
            return None
        return "is not verified here (wardround plan verify)"

    def _declined_with(self, run: str, message: RunMessage) -> str | None:
        if run not in self._declined and (code := self._read_declined(run, message)) is not None:
            self._declined[run] = code  # the first reason stays
        return self._declined.get(run)

    def _read_declined(self, run: str, message: RunMessage) -> str | None:
        channel = Channel(self._settings.federation, run, self._settings.site, self._key, message.plan_digest)
        try:
            return channel.read(self._own, DeclinedMessage, self._self).message.code
        except MissingError:
            return None
        except RefusedError as error:  # signed with a key that this site has replaced
            return error.code
