"""One site sends, closes, deletes or overwrites what it likes. Rounds go on as if it had not been there."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from decision_deaths import DyingAfterDecisions, DyingAround
from faulty_server import Fault, FaultyServer, faulty_server
from federation import FEDERATION, Federation, World
from hand import HandSite
from hand_coordinator import remove
from rounds_by_hand import EXAMPLES, coordinator, hand_sites, honest, send

from wardround.coordinator import site_store
from wardround.exchange import s3
from wardround.exchange.envelope import TensorFile
from wardround.exchange.layout import Layout
from wardround.exchange.messages import OutcomeMessage, UpdateMessage
from wardround.exchange.tensors import encode

HONEST = ("alder", "birch")
Trick = Callable[["Cedar", int], None]


@dataclass
class Cedar:
    """The site that misbehaves, with its bucket's raw requests and the server in between."""

    hand: HandSite
    server: FaultyServer

    def put(self, key: str, data: bytes, **headers: str) -> None:
        """Writes an object with no condition: over another, if need be."""
        assert self._request("PUT", key, data, headers) == 200

    def delete(self, key: str) -> None:
        """Takes an object away with all its versions: by itself a site can't, with whoever runs the server it can."""
        remove(self.hand.federation.world, Layout(FEDERATION).site("cedar"), key)

    def replace(self, key: str, data: bytes, **headers: str) -> None:
        """Puts another object in the place of one, and nothing that tells of it."""
        self.delete(key)
        self.put(key, data, **headers)

    def path(self, key: str) -> str:
        return f"/{Layout(FEDERATION).site('cedar')}/{key}"

    def _request(
        self, method: str, key: str, data: bytes = b"", headers: dict[str, str] | None = None
    ) -> int:
        connection = self.hand.federation.exchange("cedar")._connection
        sent = {"Content-Length": str(len(data)), **(headers or {})}
        return connection.request(method, self.path(key), headers=sent, body=data).status

    def committed(
        self, number: int, update: dict[str, np.ndarray]
    ) -> tuple[str, bytes, dict[str, TensorFile]]:
        """Key and bytes of an update's file, and what its message commits."""
        data = encode(update)
        file = TensorFile(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        name = f"update-{file.sha256[:16]}.safetensors"
        return self.hand.channel.keys.round_file(number, name), data, {name: file}

    def say(self, number: int, files: dict[str, TensorFile]) -> None:
        self.hand.say(number, self.hand.message(self.hand.wait_round(number)), files)


def changed(name: str, value: Any) -> Trick:
    """An honest update with one leaf, or one element of a large one, of another value."""

    def trick(cedar: Cedar, number: int) -> None:
        update = honest(cedar.hand, number, 3)
        key = next(key for key in update if key.endswith(name))
        update[key] = update[key].copy()
        update[key].flat[0] = value
        send(cedar.hand, number, update)

    return trick


def evaluated(name: str, value: Any) -> Trick:
    return changed(f"evaluate.validation/{name}", value)


def trained(name: str, value: Any) -> Trick:
    return changed(f"train/plain/{name}", value)


SECRET = bytes(range(32))
CUSTOMER_KEY = {
    "x-amz-server-side-encryption-customer-algorithm": "AES256",
    "x-amz-server-side-encryption-customer-key": base64.b64encode(SECRET).decode(),
    "x-amz-server-side-encryption-customer-key-MD5": base64.b64encode(hashlib.md5(SECRET).digest()).decode(),
}


def file_under_its_own_key(cedar: Cedar, number: int) -> None:
    key, data, files = cedar.committed(number, honest(cedar.hand, number, 3))
    cedar.put(key, data, **CUSTOMER_KEY)
    cedar.say(number, files)


def message_under_its_own_key(cedar: Cedar, number: int) -> None:
    opened = cedar.hand.wait_round(number)
    files = cedar.hand.upload(number, honest(cedar.hand, number, 3))
    sealed = cedar.hand.channel.seal(cedar.hand.message(opened), number, files)
    cedar.put(cedar.hand.channel.where(UpdateMessage, number), sealed, **CUSTOMER_KEY)


def answered(fault: Fault, *, file: bool) -> Trick:
    """The server answers so to whoever asks for the file, or for the message that commits it."""

    def trick(cedar: Cedar, number: int) -> None:
        key, data, files = cedar.committed(number, honest(cedar.hand, number, 3))
        cedar.server.faults[cedar.path(key if file else cedar.hand.channel.where(UpdateMessage, number))] = (
            fault
        )
        cedar.hand.own.put_new(key, data)
        cedar.say(number, files)

    return trick


TRICKS: tuple[tuple[str, Trick, str], ...] = (
    ("the first round has nothing to evaluate", trained("0/num_examples", -1), "out-of-range"),
    ("a histogram with a negative count", evaluated("histogram", -1), "out-of-range"),
    ("a histogram near what int32 holds", evaluated("histogram", 2**31 - 1), "out-of-range"),
    ("more hits than joined examples", evaluated("correct", 41), "out-of-range"),
    ("the smallest number of examples", trained("0/num_examples", -(2**31)), "out-of-range"),
    (
        "a number of examples that wraps when it is summed",
        trained("0/num_examples", 2**31 - 1),
        "out-of-range",
    ),
    ("more examples than it joined with", trained("0/num_examples", 41), "out-of-range"),
    ("more hits than examples", trained("0/correct", 9), "out-of-range"),
    ("a negative number of hits", trained("0/correct", -1), "out-of-range"),
    ("a negative loss", trained("0/loss_sum", -1.0), "out-of-range"),
    ("a loss that is not a number", trained("0/loss_sum", np.nan), "not-finite"),
    ("an infinite loss", trained("0/loss_sum", np.inf), "not-finite"),
    ("a huge loss", trained("0/loss_sum", 3e38), "out-of-range"),
    ("a huge weight", trained("2", 1e6), "out-of-range"),
    ("a negative weight", trained("2", -79.999), "out-of-range"),
    ("an infinite weight", trained("2", -np.inf), "not-finite"),
    ("no weight, and yet a change", trained("2", 0.0), "norm-bound"),
    ("a change that is no number", trained("1/0", np.nan), "not-finite"),
    ("a change of the largest float", trained("1/0", 3.4e38), "norm-bound"),
    ("a change far beyond its weight", trained("1/0", 1e7), "norm-bound"),
    ("a file that only it can decrypt", file_under_its_own_key, "unreadable"),
    ("a message that only it can decrypt", message_under_its_own_key, "unreadable"),
    ("HTTP 400 for its file", answered(Fault(400, "InvalidRequest"), file=True), "unreadable"),
    ("HTTP 403 for its file", answered(Fault(403, "AccessDenied"), file=True), "unreadable"),
    ("an archived file", answered(Fault(403, "InvalidObjectState"), file=True), "unreadable"),
    ("HTTP 404 for its file", answered(Fault(404, "NoSuchKey"), file=True), "missing-file"),
    ("HTTP 416 for its file", answered(Fault(416, "InvalidRange"), file=True), "unreadable"),
    ("HTTP 500 for its file alone", answered(Fault(500, "InternalError"), file=True), "unreadable"),
    ("HTTP 503 for its message alone", answered(Fault(503, "SlowDown"), file=False), "unreadable"),
    ("HTTP 403 for its message", answered(Fault(403, "AccessDenied"), file=False), "unreadable"),
    ("a file that ends early, always", answered(Fault(cut=700), file=True), "unreadable"),
    ("a message that ends early, always", answered(Fault(cut=100), file=False), "unreadable"),
)


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


Played = tuple[tuple[OutcomeMessage, ...], list[bytes]]


@pytest.fixture(scope="module")
def without_cedar(world: World, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Outcomes and states of a run in which cedar never joins."""
    federation = Federation(world, "alone", changes={"rounds": len(TRICKS), "join_deadline_s": 2})
    hands = hand_sites(federation, tmp_path_factory.mktemp("alone"), HONEST)
    with pytest.MonkeyPatch.context() as patch, coordinator(federation, patch):
        play_honestly(hands, len(TRICKS) + 1)
    return ending(federation)


@pytest.fixture(scope="module")
def with_cedar(
    world: World, monkeypatch_module: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Played:
    """Those of a run in which cedar plays all tricks, one a round."""
    monkeypatch_module.setattr(s3, "_ATTEMPTS", 2)  # the same, sooner
    monkeypatch_module.setattr(site_store, "_PAUSE_S", 0.05)
    federation = Federation(world, "one-site", changes={"rounds": len(TRICKS)})
    *hands, cedar = hand_sites(federation, tmp_path_factory.mktemp("one"), (*HONEST, "cedar"))
    with (
        faulty_server(world.address) as server,
        coordinator(federation, monkeypatch_module, server.address),
    ):
        for hand in (*hands, cedar):
            hand.join(examples=EXAMPLES)
        for number, (_, trick, _) in enumerate(TRICKS, 1):
            trick(Cedar(cedar, server), number)
            for seed, hand in enumerate(hands):
                send(hand, number, honest(hand, number, seed))
            cedar.wait_outcome(number)
        for seed, hand in enumerate((*hands, cedar)):
            send(hand, len(TRICKS) + 1, honest(hand, len(TRICKS) + 1, seed))
    return ending(federation)


def play_honestly(hands: list[HandSite], rounds: int) -> None:
    for hand in hands:
        hand.join(examples=EXAMPLES)
    for number in range(1, rounds + 1):
        for seed, hand in enumerate(hands):
            send(hand, number, honest(hand, number, seed))
        hands[0].wait_outcome(number)


def ending(federation: Federation) -> Played:
    outcomes = federation.outcomes()
    states = [federation.state(n) for n, outcome in enumerate(outcomes, 1) if outcome.status == "completed"]
    return outcomes, states


@pytest.mark.parametrize(
    ("number", "code"),
    [(n, code) for n, (_, _, code) in enumerate(TRICKS, 1)],
    ids=[name for name, _, _ in TRICKS],
)
def test_a_site_is_refused_with_a_code_and_the_round_is_as_if_it_had_been_away(
    with_cedar: Played, without_cedar: Played, number: int, code: str
) -> None:
    outcome, alone = with_cedar[0][number - 1], without_cedar[0][number - 1]
    assert outcome.status == "completed" and outcome.accepted == HONEST
    assert [(refusal.site, refusal.code) for refusal in outcome.refused] == [("cedar", code)]
    assert outcome.measured == alone.measured
    assert with_cedar[1][number - 1] == without_cedar[1][number - 1]


def test_the_site_counts_again_as_soon_as_it_is_honest(with_cedar: Played) -> None:
    assert with_cedar[0][-1].accepted == (*HONEST, "cedar")


# --- after the decision -------------------------------------------------------------------------------------


def deleted(cedar: Cedar, key: str, data: bytes) -> None:
    cedar.delete(key)


def overwritten(cedar: Cedar, key: str, data: bytes) -> None:
    cedar.replace(key, data[:-4] + b"\1\2\3\4")


def overwritten_with_more(cedar: Cedar, key: str, data: bytes) -> None:
    cedar.replace(key, data + b"more")


def overwritten_with_nothing(cedar: Cedar, key: str, data: bytes) -> None:
    cedar.replace(key, b"")


def encrypted_afterwards(cedar: Cedar, key: str, data: bytes) -> None:
    cedar.replace(key, data, **CUSTOMER_KEY)


def message_deleted_too(cedar: Cedar, key: str, data: bytes) -> None:
    cedar.delete(key)
    cedar.delete(cedar.hand.channel.where(UpdateMessage, int(key.split("/")[3])))


def join_deleted(cedar: Cedar, key: str, data: bytes) -> None:
    cedar.delete(cedar.hand.channel.keys.join)


AFTERWARDS = (
    (deleted, "missing-file"),
    (overwritten, "wrong-hash"),
    (overwritten_with_more, "wrong-hash"),
    (overwritten_with_nothing, "wrong-hash"),
    (encrypted_afterwards, "unreadable"),
    (message_deleted_too, "missing-file"),
    (join_deleted, "not-joined"),  # the last: it stays away for good
)


def test_an_update_that_is_taken_away_after_the_decision_is_refused_by_a_second_one(
    world: World, tmp_path: Path, without_cedar: Played
) -> None:
    federation = Federation(world, "second", changes={"rounds": len(AFTERWARDS)})
    *hands, cedar = hand_sites(federation, tmp_path, (*HONEST, "cedar"))
    deaths = DyingAfterDecisions(tmp_path / "deaths")
    try:
        running = federation.start_coordinator(deaths)
        for hand in (*hands, cedar):
            hand.join(examples=EXAMPLES)
        for number, (fault, code) in enumerate(AFTERWARDS, 1):
            thief = Cedar(cedar, FaultyServer(""))
            key, data, files = thief.committed(number, honest(cedar, number, 3))
            cedar.own.put_new(key, data)
            thief.say(number, files)
            for seed, hand in enumerate(hands):
                send(hand, number, honest(hand, number, seed))
            assert running.wait() == -9, running.text()[-2000:]
            fault(thief, key, data)
            running = federation.start_coordinator(deaths)
            outcome = hands[0].wait_outcome(number)
            assert outcome.accepted == HONEST, code
            assert [(refusal.site, refusal.code) for refusal in outcome.refused] == [("cedar", code)]
            assert outcome.measured == without_cedar[0][number - 1].measured
            assert federation.state(number) == without_cedar[1][number - 1]
    finally:
        federation.close()


def test_a_coordinator_killed_around_the_second_decision_ends_with_the_same_state(
    world: World, tmp_path: Path, without_cedar: Played
) -> None:
    federation = Federation(world, "second-killed", changes={"rounds": 1})
    *hands, cedar = hand_sites(federation, tmp_path, (*HONEST, "cedar"))
    deaths = DyingAround(tmp_path / "deaths")
    try:
        running = federation.start_coordinator(deaths)
        for hand in (*hands, cedar):
            hand.join(examples=EXAMPLES)
        thief = Cedar(cedar, FaultyServer(""))
        key, data, files = thief.committed(1, honest(cedar, 1, 3))
        cedar.own.put_new(key, data)
        thief.say(1, files)
        for seed, hand in enumerate(hands):
            send(hand, 1, honest(hand, 1, seed))
        while not federation.outcomes():
            if running.wait(0.5) is None:
                continue
            assert running.wait() == -9, running.text()[-2000:]
            if deaths.past()[-1].startswith("after") and deaths.past()[-1].endswith("/collected.json"):
                thief.delete(key)
            running = federation.start_coordinator(deaths)
        events = [event for event in deaths.past() if event.endswith("/collected-2.json")]
        assert [event.split()[0] for event in events] == ["before", "after"]
        assert federation.state(1) == without_cedar[1][0]
        outcome = hands[0].wait_outcome(1)
        assert [(refusal.site, refusal.code) for refusal in outcome.refused] == [("cedar", "missing-file")]
    finally:
        federation.close()
