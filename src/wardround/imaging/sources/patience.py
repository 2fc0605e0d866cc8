"""Repeating what an archive did not answer, up to an end."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from logging import getLogger
from typing import TypeVar

import tenacity

from wardround.errors import StoppedError
from wardround.imaging.sources.errors import AwayError, ParcelError, Why

T = TypeVar("T")
_LOG = getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """How often a parcel is tried (`attempts`), and how long an archive may be away (`outage_s`, seconds)."""

    outage_s: float = 600.0
    attempts: int = 4
    longest_pause_s: float = 10.0

    def sit_out(self, action: Callable[[], T], stop: threading.Event) -> T:
        """`action()`, repeated while the archive is away. Raises AwayError at the end, StoppedError on `stop`."""
        return self._repeat(
            action,
            stop,
            retry=tenacity.retry_if_exception_type(AwayError),
            stop=tenacity.stop_after_delay(self.outage_s),
            before_sleep=_tell,
        )

    def insist(self, action: Callable[[], T], check: Callable[[], None], stop: threading.Event) -> T:
        """`action()` on one parcel, repeated while that may help. Raises ParcelError at the end.

        After an answer that did not come, `check` tells whether the archive is away, which is sat out, or has
        trouble with this parcel alone, which is one failed attempt of a few.
        """

        def attempt() -> T:
            try:
                return action()
            except AwayError:
                self.sit_out(check, stop)
                raise ParcelError(Why.SILENT) from None

        return self._repeat(
            attempt,
            stop,
            retry=tenacity.retry_if_exception(lambda e: isinstance(e, ParcelError) and e.why.may_pass),
            stop=tenacity.stop_after_attempt(self.attempts),
        )

    def _repeat(self, action: Callable[[], T], halt: threading.Event, **rules: object) -> T:
        rules["stop"] = tenacity.stop_any(rules["stop"], tenacity.stop_when_event_set(halt))  # type: ignore[arg-type]
        retrying = tenacity.Retrying(
            wait=tenacity.wait_exponential_jitter(initial=0.2, max=self.longest_pause_s, jitter=0.2),
            sleep=tenacity.sleep_using_event(halt),
            reraise=True,
            **rules,  # type: ignore[arg-type]
        )
        try:
            return retrying(action)
        except (AwayError, ParcelError):
            if halt.is_set():
                raise StoppedError("asked to stop while the archive was away; start again to go on") from None
            raise


def _tell(state: tenacity.RetryCallState) -> None:
    _LOG.warning("the archive is away; attempt %d failed, trying again", state.attempt_number)
