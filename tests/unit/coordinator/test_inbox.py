"""One queue for many watchers, none of which can fail unseen."""

import threading
import time
from collections.abc import Callable

import pytest

from wardround.coordinator.inbox import Inbox
from wardround.errors import RefusedError, StoppedError

Deliver = Callable[[str], None]


def soon() -> float:
    return time.monotonic() + 30


def test_a_delivery_arrives_from_another_thread() -> None:
    with Inbox[str](threading.Event()) as inbox:
        inbox.watch(lambda enough, deliver: deliver("here"))
        assert inbox.next(soon()) == "here"


def test_nothing_by_the_end_is_none() -> None:
    with Inbox[str](threading.Event()) as inbox:
        assert inbox.next(time.monotonic()) is None


def test_what_a_watcher_raises_reaches_whoever_waits() -> None:
    def fail(enough: threading.Event, deliver: Deliver) -> None:
        raise RefusedError("no", code="denied")

    with Inbox[str](threading.Event()) as inbox:
        inbox.watch(fail)
        with pytest.raises(RefusedError, match="no"):
            inbox.next(soon())


def test_a_request_to_stop_ends_the_wait() -> None:
    stop = threading.Event()
    with Inbox[str](stop) as inbox:
        threading.Timer(0.05, stop.set).start()
        with pytest.raises(StoppedError):
            inbox.next(soon())


def test_the_end_of_the_block_tells_the_watchers() -> None:
    ended = threading.Event()

    def watch(enough: threading.Event, deliver: Deliver) -> None:
        enough.wait(30)
        ended.set()

    with Inbox[str](threading.Event()) as inbox:
        inbox.watch(watch)
    assert ended.wait(30)
