"""Waiting: looks that follow bells, ends that are kept, and what a server's events say."""

import json
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardround.errors import StoppedError
from wardround.exchange.listening import Listener, written_keys
from wardround.exchange.waiting import Rhythm, SilentWatch, Watch, wait_until


class Told:
    """A source that is always told, and rings when a test says."""

    def __init__(self) -> None:
        self.bells: list[threading.Event] = []
        self.open = 0

    told = True

    def watch(self, prefix: str, bell: threading.Event) -> Watch:
        self.bells.append(bell)
        return self

    def __enter__(self) -> "Told":
        self.open += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.open -= 1


class Silent:
    def watch(self, prefix: str, bell: threading.Event) -> Watch:
        return SilentWatch()


def after(looks: int, then: Callable[[], str | None] = lambda: "found") -> Callable[[], str | None]:
    count = iter(range(looks))
    return lambda: then() if next(count, None) is None else None


def test_a_result_that_is_there_already_needs_no_wait() -> None:
    assert wait_until([Silent()], lambda: "there", seconds=0) == "there"


def test_a_silent_store_is_looked_at_again_and_again() -> None:
    assert wait_until([Silent()], after(5), seconds=60) == "found"


def test_a_bell_between_two_looks_is_not_lost() -> None:
    source = Told()

    def ring() -> str | None:
        source.bells[0].set()
        return None

    looks = iter([ring, ring, ring, lambda: "found"])
    assert wait_until([source], lambda: next(looks)(), seconds=600) == "found"


def test_false_and_empty_results_count_as_results() -> None:
    assert wait_until([Silent()], lambda: "", seconds=0) == ""
    assert wait_until([Silent()], lambda: 0, seconds=0) == 0


def test_a_last_look_is_taken_at_the_end() -> None:
    assert wait_until([Silent()], after(1), seconds=0.001) == "found"


def test_what_a_look_raises_reaches_the_caller_and_ends_the_watches() -> None:
    source = Told()

    def fail() -> str:
        raise KeyError("mine")

    with pytest.raises(KeyError):
        wait_until([source, source], fail, seconds=60)
    assert source.open == 0


def test_a_stop_that_is_set_already_prevents_even_the_first_look() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        wait_until([Silent()], lambda: "there", seconds=60, stop=stop)


def test_waiting_for_nothing_told_still_ends() -> None:
    assert wait_until([Told()], lambda: None, seconds=0.05) is None


def test_a_server_without_events_is_asked_once() -> None:
    asked = threading.Semaphore(0)
    listener = Listener("test", lambda: asked.release())
    bell = threading.Event()
    with listener.watch("", bell) as watch:
        assert bell.wait(10)
        assert not watch.told
    with listener.watch("", bell):
        pass
    listener.close()
    assert asked.acquire(blocking=False)
    assert not asked.acquire(blocking=False)


def test_events_name_their_keys() -> None:
    records = [{"s3": {"object": {"key": "runs%2Fr+1%2Fa"}}}, {"s3": {"object": {"key": "b"}}}]
    assert written_keys(json.dumps({"Records": records}).encode()) == ["runs/r 1/a", "b"]
    assert written_keys(b" \n") == []
    assert written_keys(b'{"Records":null}') == []


@given(st.binary())
def test_an_event_that_cannot_be_read_wakes_everybody(line: bytes) -> None:
    assert written_keys(line) in ([], [None])


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["Records", "s3", "object", "key"]), inner)
        ),
    )
)
def test_arbitrary_events_raise_nothing(value: object) -> None:
    assert isinstance(written_keys(json.dumps(value).encode()), list)


def test_what_comes_at_regular_times_is_expected_then_however_late_the_wait_began() -> None:
    rhythm = Rhythm(periodic=True)
    rhythm.learn(rhythm.origin(90.0), 90.4, looks=3)
    rhythm.learn(rhythm.origin(93.0), 100.4, looks=3)
    assert rhythm.expected == 0  # graphs were built in the first round
    rhythm.learn(rhythm.origin(100.7), 101.4, looks=3)
    assert rhythm.expected == pytest.approx(1.0)
    assert rhythm.origin(102.3) == pytest.approx(101.4)  # nine tenths of the time are over already


def test_what_takes_the_same_time_whenever_it_begins_is_counted_from_the_begin() -> None:
    rhythm = Rhythm()
    rhythm.learn(rhythm.origin(90.0), 99.0, looks=3)
    assert rhythm.expected == 0  # graphs were built meanwhile
    rhythm.learn(rhythm.origin(100.0), 100.4, looks=3)
    assert rhythm.expected == pytest.approx(0.4)
    assert rhythm.origin(102.3) == 102.3
