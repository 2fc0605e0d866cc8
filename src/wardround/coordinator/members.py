"""Who has joined the run and who has declined it, and waiting until enough have joined."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial

from wardround.coordinator.context import Event, Run
from wardround.coordinator.ends import find_final, watch_end
from wardround.coordinator.inbox import Inbox
from wardround.coordinator.site_store import UNREADABLE
from wardround.errors import RefusedError, WardroundError
from wardround.exchange.errors import MissingError
from wardround.exchange.messages import DeclinedMessage, JoinMessage
from wardround.exchange.store import wait_for_any
from wardround.exchange.waiting import Rhythm

_LOG = logging.getLogger(__name__)
_UNREADABLE_S = 15.0  # until the next look at a bucket that cannot be read


class QuorumError(WardroundError):
    """Too few sites joined before the deadline."""

    code = "no-quorum"


class Members:
    """The sites that have joined, and those that do not take part. What is refused stays so: it is written once.

    A site that declined may join later; until then nobody waits for it. One whose bucket cannot be read may be
    readable later. Threads may look at the same time.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._refused: set[str] = set()
        self._joined: dict[str, JoinMessage] = {}
        self._declined: dict[str, str] = {}
        self._lock = threading.Lock()
        # How long each site's answers take, over the rounds.
        self.rhythms: dict[str, Rhythm] = {site: Rhythm() for site in run.members}

    @property
    def joined(self) -> dict[str, JoinMessage]:
        """Site → its `join.json`, of those that have one by now."""
        with self._lock:
            return dict(self._joined)

    @property
    def declined(self) -> dict[str, str]:
        """Site → the code that it gave, of those who have not joined since."""
        with self._lock:
            return {s: code for s, code in sorted(self._declined.items()) if s not in self._joined}

    @property
    def undecided(self) -> set[str]:
        """Members who have not joined, and whose `join.json`, if any, was not refused."""
        with self._lock:
            return self._run.members.keys() - self._joined.keys() - self._refused

    def look(self) -> None:
        """Reads the `join.json` of every member that has none yet."""
        for site in sorted(self.undecided):
            self.look_at(site)

    def look_at(self, site: str) -> bool:
        """Whether the site has joined, after a look at its bucket."""
        if site in self.undecided:
            found = self._read(site)  # not under the lock: one site's bucket may take its time
            self._note(site, found)
        return site in self.joined

    def wait(self) -> None:
        """Waits until all members have joined or declined, until the run is given up, or for the join deadline.

        Below the quorum, whoever declined is waited for too: approving a plan takes a person.
        Raises QuorumError that names who is missing, StoppedError.
        """
        self.look()
        end = time.monotonic() + self._run.rules.join_deadline_s
        with Inbox[str | None](self._run.stop) as inbox:
            for site in sorted(self.undecided):
                inbox.watch(partial(_await_word, self._run, site, site in self.declined))
            inbox.watch(
                partial(watch_end, self._run.channel, self._run.shared, self._run.rules.join_deadline_s)
            )
            while self._expected() and (site_or_none := inbox.next(end)) is not None:
                self.look_at(site_or_none)
        if find_final(self._run.channel, self._run.shared) is None:
            self._check_quorum()

    def _expected(self) -> set[str]:
        """Who is still waited for."""
        enough = len(self.joined) >= self._run.rules.quorum
        return self.undecided - self.declined.keys() if enough else self.undecided

    def _read(self, site: str) -> JoinMessage | DeclinedMessage | RefusedError | None:
        """What the site says of the run; None if nothing."""
        run = self._run
        try:
            message = run.channel.read(run.site(site), JoinMessage, run.members[site]).message
            _check_join(site, message, run)
            return message
        except MissingError:
            return self._read_declined(site)
        except RefusedError as error:
            return error

    def _read_declined(self, site: str) -> DeclinedMessage | RefusedError | None:
        run = self._run
        if site in self.declined:
            return None
        try:
            return run.channel.read(run.site(site), DeclinedMessage, run.members[site]).message
        except MissingError:
            return None
        except RefusedError as error:
            if error.code == UNREADABLE:
                return error
            _LOG.warning("what %s gives as its reason not to take part is refused: %s", site, error)
            return DeclinedMessage(site=site, code=error.code)

    def _note(self, site: str, found: JoinMessage | DeclinedMessage | RefusedError | None) -> None:
        """Keeps what a site said, and tells of it the first time."""
        with self._lock:
            event = self._event(site, found)
        if event is not None:
            self._run.observe(event)

    def _event(self, site: str, found: JoinMessage | DeclinedMessage | RefusedError | None) -> Event | None:
        if found is None or site in self._joined or site in self._refused:
            return None
        if isinstance(found, JoinMessage):
            self._joined[site] = found
            return Event("joined", site=site)
        if isinstance(found, DeclinedMessage):
            new = site not in self._declined
            self._declined[site] = found.code
            return Event("declined", site=site, text=found.code) if new else None
        _LOG.warning(
            "join of %s is refused%s: %s", site, "" if found.code == UNREADABLE else " for this run", found
        )
        if found.code != UNREADABLE:  # what is written stays as it is; rights may change
            self._refused.add(site)
        return Event("refused", site=site, text=found.code)

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
    while not enough.is_set():
        try:
            found = wait_for_any(run.site(site), keys.prefix, wanted, seconds=seconds, stop=enough)
        except RefusedError as error:
            _LOG.warning("%s has not joined: %s", site, error)
            enough.wait(_UNREADABLE_S)
            continue
        if found is not None:
            deliver(site)
        if found != keys.declined:
            return
        wanted = [keys.join]


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
