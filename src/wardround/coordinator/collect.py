"""Collecting a round's updates until all have answered, or until the deadline."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from wardround.coordinator.aggregate import SiteFaultError, Tally
from wardround.coordinator.check import Desk, Spooled, refusal
from wardround.coordinator.context import Event, Run
from wardround.coordinator.ends import watch_end
from wardround.coordinator.inbox import Inbox
from wardround.coordinator.members import Members
from wardround.coordinator.rounds import OpenRound
from wardround.errors import RefusedError
from wardround.exchange.errors import MissingError
from wardround.exchange.messages import CollectedMessage, PresentMessage, Refusal, UpdateMessage
from wardround.exchange.store import wait_for_any
from wardround.plan.process import Tensors

# None: the site asks to be waited for.
Answer = tuple[str, Spooled | Refusal | None]


@dataclass
class Answers:
    """Who is waited for, and what came. Changed by one thread only."""

    waiting: set[str]
    accepted: dict[str, Spooled] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)

    @property
    def silent(self) -> Callable[[str], bool]:
        """Whether a site has not answered."""
        return lambda site: site not in self.accepted and site not in self.refused

    def is_complete(self, quorum: int, everybody: set[str]) -> bool:
        """Whether nobody is waited for. Below quorum, whoever may still come is."""
        return not self.waiting and (len(self.accepted) >= quorum or not any(map(self.silent, everybody)))

    def ready(self) -> list[str]:
        """The accepted sites before the first, in order of name, that is still waited for."""
        first = min(self.waiting, default=None)
        return [site for site in sorted(self.accepted) if first is None or site < first]

    def decide(self, joined: set[str], declined: dict[str, str]) -> CollectedMessage:
        """The decision, as it is recorded."""
        return CollectedMessage(
            accepted={site: spooled.accepted() for site, spooled in sorted(self.accepted.items())},
            refused=tuple(refusal for _, refusal in sorted(self.refused.items())),
            missing=tuple(sorted(filter(self.silent, joined))),
            declined=dict(sorted(declined.items())),
        )


class Collector:
    """One round's collection. Watchers fetch; this thread alone reads, checks and adds up.

    It ends when all have answered, at the deadline, or when the run is given up.
    """

    def __init__(self, run: Run, opened: OpenRound, desk: Desk, tally: Tally, members: Members) -> None:
        self._run, self._round, self._desk = run, opened, desk
        self._tally, self._members = tally, members
        # Who was taken out since the round was opened is not waited for.
        self._answers = Answers(set(opened.message.cohort) & run.members.keys())

    def collect(self) -> CollectedMessage:
        """Waits, checks and adds up. Raises StoppedError, and errors of the exchange."""
        end = time.monotonic() + self._run.rules.deadline_s
        with Inbox[Answer | None](self._run.stop) as inbox:
            for site in sorted(self._run.members):
                inbox.watch(partial(self._watch, site))
            inbox.watch(partial(watch_end, self._run.channel, self._run.shared, self._run.rules.deadline_s))
            while not self._is_complete() and (answer := inbox.next(end)) is not None:
                self._take(*answer)
        joined, declined = self._members.joined, self._members.declined
        return self._answers.decide(set(joined), declined)

    def _is_complete(self) -> bool:
        return self._answers.is_complete(self._run.rules.quorum, set(self._run.members))

    def _take(self, site: str, answer: Spooled | Refusal | None) -> None:
        if answer is None:
            self._answers.waiting.add(site)
            return
        self._answers.waiting.discard(site)
        result = self._desk.examine(answer) if isinstance(answer, Spooled) else answer
        if isinstance(answer, Spooled) and not isinstance(result, Refusal):
            self._accept(answer, result)
        elif isinstance(result, Refusal):
            self._refuse(site, result)

    def _refuse(self, site: str, result: Refusal) -> None:
        self._answers.accepted.pop(site, None)
        self._answers.refused[site] = result
        self._run.observe(Event("refused", self._round.number, site, f"{result.code}: {result.detail}"))

    def _accept(self, spooled: Spooled, update: Tensors) -> None:
        self._answers.accepted[spooled.site] = spooled
        self._run.observe(Event("answered", self._round.number, spooled.site))
        while True:
            try:
                self._tally.advance(self._answers.ready(), partial(self._load, spooled.site, update))
                return
            except SiteFaultError as error:
                self._refuse(error.site, refusal(error.site, error))

    def _load(self, fresh: str, update: Tensors, site: str) -> Tensors:
        return update if site == fresh else self._desk.read(self._answers.accepted[site])

    def _watch(self, site: str, enough: threading.Event, deliver: Callable[[Answer], None]) -> None:
        """Delivers that the site is present, if it was not expected, and then its answer, or why it has none."""
        try:
            self._watch_answers(site, enough, deliver)
        except RefusedError as error:
            if self._members.look_at(site):
                deliver((site, refusal(site, error)))

    def _watch_answers(self, site: str, enough: threading.Event, deliver: Callable[[Answer], None]) -> None:
        answers = self._run.channel.where(UpdateMessage, self._round.number)
        presence = self._run.channel.where(PresentMessage, self._round.number)
        expected = site in self._round.message.cohort
        found = self._wait(site, [answers] if expected else [answers, presence], enough)
        if not self._members.look_at(site):
            return
        if found == presence:
            if self._is_present(site):
                deliver((site, None))
            found = self._wait(site, [answers], enough)
        if found == answers:
            deliver((site, self._desk.fetch(site)))

    def _wait(self, site: str, keys: list[str], enough: threading.Event) -> str | None:
        prefix = self._run.channel.keys.round_prefix(self._round.number)
        seconds = self._run.rules.deadline_s
        rhythm = self._members.rhythms[site]
        return wait_for_any(self._run.site(site), prefix, keys, seconds=seconds, stop=enough, rhythm=rhythm)

    def _is_present(self, site: str) -> bool:
        run = self._run
        try:
            run.channel.read(run.site(site), PresentMessage, run.members[site], round=self._round.number)
        except (RefusedError, MissingError):
            return False
        return True
