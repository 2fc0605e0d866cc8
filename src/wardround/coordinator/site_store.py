"""A site's bucket, as its coordinator reads it: whose fault it is that something in there cannot be read.

An object can be made unreadable by its writer: encrypted with a key of its own (SSE-C, HTTP 400), closed by a policy
or a list of rights (403), put into an archive, or with its whole bucket taken away. That costs its writer a refusal,
and nobody else anything. An exchange that is away costs everybody time, and is waited for. The two look alike from
one bucket, so another one is asked: while the coordinator's own answers, the exchange is there.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from wardround.errors import RefusedError, StoppedError, WardroundError
from wardround.exchange.errors import MissingError, NoSpaceError, UnavailableError
from wardround.exchange.first_version import Rewritten
from wardround.exchange.store import Readable
from wardround.exchange.waiting import Watch, stop_if_asked

T = TypeVar("T")

UNREADABLE = "unreadable"
# How often an object is tried while the rest of the exchange answers, with a pause that doubles from the first one.
# A store repeats by itself what the server could not do, for seconds each time; what it denied, it denied.
_TRIES = 4
_TRIES_DENIED = 2
_PAUSE_S = 0.5


@dataclass
class SiteStore:
    """The bucket `inner` of one site; its store is not a patient one.

    `exchange_answers` returns once the coordinator's own bucket can be read, and raises what keeps it from that.
    Every operation may raise RefusedError (`unreadable`), and no other error of the exchange but MissingError,
    OversizedError, NoSpaceError (of this machine's disk), and those of `exchange_answers`.
    """

    inner: Readable
    exchange_answers: Callable[[], None]
    stop: threading.Event
    # A bucket that was found unreadable is tried once each time, until something in it can be read.
    _suspect: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def rewritten(self) -> Rewritten:
        return self.inner.rewritten

    def get(self, key: str, *, limit: int) -> bytes:
        return self._read(key, lambda: self.inner.get(key, limit=limit))

    def download(self, key: str, target: Path, *, limit: int) -> None:
        self._read(key, lambda: self.inner.download(key, target, limit=limit))

    def exists(self, key: str) -> bool:
        return self._read(key, lambda: self.inner.exists(key))

    def watch(self, prefix: str, bell: threading.Event) -> Watch:
        return self.inner.watch(prefix, bell)

    def _read(self, key: str, action: Callable[[], T]) -> T:
        tries = 0
        while True:
            try:
                found = action()
            except (RefusedError, StoppedError, NoSpaceError):
                raise
            except MissingError:
                self._suspect = False
                raise
            except WardroundError as error:
                stop_if_asked(self.stop)
                self.exchange_answers()
                tries += 1
                if tries >= self._most_tries(error):
                    self._suspect = True
                    raise self._refusal(key, error) from error
                self.stop.wait(_PAUSE_S * 2**tries)
            else:
                self._suspect = False
                return found

    def _most_tries(self, error: WardroundError) -> int:
        if self._suspect:
            return 1
        return _TRIES if isinstance(error, UnavailableError) else _TRIES_DENIED

    def _refusal(self, key: str, error: WardroundError) -> RefusedError:
        return RefusedError(
            f"object {key!r} of bucket {self.name!r} can't be read ({error.code}), while the exchange answers; "
            "its writer must let the coordinator read it: no key of its own (SSE-C), no rights taken away",
            code=UNREADABLE,
        )
