"""Who has joined the run and who has declined it, and waiting until enough have joined."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial

from wardround.coordinator.context import Event, Run
from wardround.coordinator.ends import find_final, watch_end
from wardround.coordinator.inbox import Inbox
from wardround.errors import RefusedError, WardroundError
from wardround.exchange.errors import MissingError
from wardround.exchange.messages import DeclinedMessage, JoinMessage
from wardround.exchange.store import wait_for_any
from wardround.exchange.waiting import Rhythm

_LOG = logging.getLogger(__name__)


class QuorumError(WardroundError):
    """Too few sites joined before the deadline."""

    code = "no-quorum"


class Members:
    """The sites that have joined, and those that do not take part. What is refused stays so: it is written once.

    A site that declined may join later; until then nobody waits for it.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._refused: set[str] = set()
        self._declined: dict[str, str] = {}
        self._lock = threading.Lock()
        self.joined: dict[str, JoinMessage] = {}
        # How long each site's answers take, over the rounds.
        self.rhythms: dict[str, Rhythm] = {site: Rhythm() for site in run.members}

    @property
    def declined(self) -> dict[str, str]:
        """Site → the code that it gave, of those who have not joined since."""
        return {site: code for site, code in sorted(self._declined.items()) if site not in self.joined}

    def look(self) -> None:
        """Reads the `join.json` of every member that has none yet."""
        for site in sorted(self._run.members.keys() - self.joined.keys() - self._refused):
            self.look_at(site)

    def look_at(self, site: str) -> bool:
        """Whether the site has joined, after a look at its bucket."""
        with self._lock:
            if site not in self.joined and site not in self._refused:
                self._read(site)
            return site in self.joined

    def wait(self) -> None:
        """Waits until all members have joined or declined, until the run is given up, or for the join deadline.

        Below the quorum, whoever declined is waited for too: approving a plan takes a person.
        Raises QuorumError that names who is missing, StoppedError.
        """
        self.look()
        end = time.monotonic() + self._run.rules.join_deadline_s
        with Inbox[str | None](self._run.stop) as inbox:
            for site in sorted(self._run.members.keys() - self.joined.keys() - self._refused):
                inbox.watch(partial(_await_word, self._run, site, site in self._declined))
            inbox.watch(
                partial(watch_end, self._run.channel, self._run.shared, self._run.rules.join_deadline_s)
            )
            while self._expected() and (site_or_none := inbox.next(end)) is not None:
                self.look_at(site_or_none)
        if find_final(self._run.channel, self._run.shared) is None:
            self._check_quorum()

    def _expected(self) -> set[str]:
        """Who is still waited for."""
        open_ = self._run.members.keys() - self.joined.keys() - self._refused
        enough = len(self.joined) >= self._run.rules.quorum
        return open_ - self._declined.keys() if enough else set(open_)

    def _read(self, site: str) -> None:
        run = self._run
        try:
            message = run.channel.read(run.site(site), JoinMessage, run.members[site]).message
            _check_join(site, message, run)
        except MissingError:
            self._read_declined(site)
            return
        except RefusedError as error:
            self._refused.add(site)
            _LOG.warning("join of %s is refused for this run: %s", site, error)
            run.observe(Event("refused", site=site, text=error.code))
            return
        self.joined[site] = message
        run.observe(Event("joined", site=site))

    def _read_declined(self, site: str) -> None:
        if site in self._declined:
            return
        run = self._run
        try:
            code = run.channel.read(run.site(site), DeclinedMessage, run.members[site]).message.code
        except MissingError:
            return
        except RefusedError as error:
            code = error.code
            _LOG.warning("what %s gives as its reason not to take part is refused: %s", site, error)
        self._declined[site] = code
        run.observe(Event("declined", site=site, text=code))

    def _check_quorum(self) -> None:
        quorum, missing = self._run.rules.quorum, sorted(self._run.members.keys() - self.joined.keys())
        if len(self.joined) < quorum:
            raise QuorumError(
                f"{len(self.joined)} sites joined within {self._run.rules.join_deadline_s:g} s, the quorum is "
                f"{quorum}; missing: {', '.join(missing)} (refused: {', '.join(sorted(self._refused)) or 'none'}; "
                f"declined: {', '.join(f'{site}, {code}' for site, code in self.declined.items()) or 'none'}). "
                "See that they run and have approved the plan, then start the coordinator again"
            )


def _await_word(
    run: Run, site: str, has_declined: bool, enough: threading.Event, deliver: Callable[[str], None]
) -> None:
    """Delivers the site when it declines, unless it has, and when it joins."""
    keys, seconds = run.channel.keys, run.rules.join_deadline_s
    wanted = [keys.join] if has_declined else [keys.join, keys.declined]
    found = wait_for_any(run.site(site), keys.prefix, wanted, seconds=seconds, stop=enough)
    if found is not None:
        deliver(site)
    if found == keys.declined:
        _await_word(run, site, True, enough, deliver)


def _check_join(site: str, message: JoinMessage, run: Run) -> None:
    if message.approved != run.channel.digest:
        raise RefusedError(
            f"site {site!r} approved plan {message.approved}; the run's is {run.channel.digest}",
            code="wrong-digest",
        )
    if message.public_key != run.members[site].key.text:
        raise RefusedError(
            f"site {site!r} joins with a key that is not its member key", code="unknown-signer"
        )


def cohort(joined: Mapping[str, JoinMessage], missing: tuple[str, ...]) -> tuple[str, ...]:
    """The sites that a round waits for: joined, and not missing in the round before. In order of name."""
    return tuple(sorted(joined.keys() - set(missing)))
