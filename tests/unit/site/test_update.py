"""What a site keeps on its disk, what it accepts as a broadcast, and what it would not send."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wardround.errors import RefusedError
from wardround.exchange import waiting
from wardround.exchange.directory import DirectoryExchange, DirectoryStore
from wardround.exchange.envelope import SigningKey, TensorFile
from wardround.exchange.layout import Layout
from wardround.exchange.messages import RoundMessage, Seen
from wardround.exchange.records import Channel, Peer
from wardround.exchange.tensors import TensorSpec
from wardround.exchange.waiting import SilentWatch
from wardround.site.check import sent_spec
from wardround.site.choose import PatienceError, newest_round, wait_for_round
from wardround.site.context import Seat
from wardround.site.invitation import Invitation
from wardround.site.publish import find_finished, is_published, keep, publish
from wardround.site.settings import SiteSettings
from wardround.site.train import check_shape

SPEC = {"train/w": TensorSpec((2,), "float32"), "model/w": TensorSpec((2,), "float32")}
SEEN = Seen(round="d" * 64, run="e" * 64, members="f" * 64)
UPDATE = {"train/plain/0": np.arange(3, dtype=np.float32)}


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    exchange = DirectoryExchange(tmp_path / "exchange")
    layout = Layout("north")
    for bucket in (layout.federation, layout.site("alder")):
        exchange.create_bucket(bucket)
    (tmp_path / "work").mkdir()
    coordinator = SigningKey.generate()
    settings = SiteSettings(
        federation="north",
        site="alder",
        run="first",
        exchange="unused",
        key_file=tmp_path / "unused",
        coordinator_key=coordinator.public.text,
        data=tmp_path,
        work=tmp_path,
        round_wait_s=0.05,
    )
    channel = Channel("north", "first", "alder", SigningKey.generate(), "a" * 64)
    peer = Peer("coordinator", coordinator.public)
    return Seat(channel, peer, exchange, tmp_path / "work", settings, threading.Event())


def invitation(number: int = 1, sha256: str = "b" * 64) -> Invitation:
    message = RoundMessage(purpose="train", model=0, cohort=("alder",))
    return Invitation(number, message, "broadcast", TensorFile(sha256=sha256, size=1), "d" * 64)


def test_a_finished_update_is_found_again(seat: Seat) -> None:
    finished = keep(seat, invitation(), SEEN, UPDATE)
    assert find_finished(seat, invitation(), SEEN) == finished


def test_a_finished_update_for_another_broadcast_or_round_is_not_used(seat: Seat) -> None:
    keep(seat, invitation(), SEEN, UPDATE)
    assert find_finished(seat, invitation(sha256="c" * 64), SEEN) is None
    assert find_finished(seat, invitation(number=2), SEEN) is None


def test_a_damaged_update_is_not_used(seat: Seat) -> None:
    finished = keep(seat, invitation(), SEEN, UPDATE)
    finished.tensors.write_bytes(b"x" * finished.tensors.stat().st_size)
    assert find_finished(seat, invitation(), SEEN) is None
    finished.tensors.unlink()
    assert find_finished(seat, invitation(), SEEN) is None


def test_only_the_newest_update_stays_on_disk(seat: Seat) -> None:
    keep(seat, invitation(1), SEEN, UPDATE)
    keep(seat, invitation(2), SEEN, UPDATE)
    assert [path.name for path in seat.work.iterdir()] == ["round-000002"]


def test_an_update_may_be_sent_twice(seat: Seat) -> None:
    finished = keep(seat, invitation(), SEEN, UPDATE)
    assert not is_published(seat, 1)
    publish(seat, 1, finished)
    publish(seat, 1, finished)
    assert is_published(seat, 1)


def test_aliases_stand_for_tensors_of_the_same_shape_that_are_sent() -> None:
    assert sent_spec(SPEC, {"model/w": "train/w"}) == {"train/w": SPEC["train/w"]}
    other = SPEC | {"train/v": TensorSpec((3,), "float32")}
    for aliases in (
        {"model/w": "train/v"},
        {"model/w": "nowhere"},
        {"nowhere": "train/w"},
        {"model/w": "train/w", "train/w": "model/w"},
    ):
        with pytest.raises(RefusedError) as caught:
            sent_spec(other, aliases)
        assert caught.value.code == "malformed"


def test_an_update_that_is_not_what_the_plan_says_is_not_sent() -> None:
    spec = {"train/plain/0": TensorSpec((3,), "float32")}
    check_shape(UPDATE, spec)
    for wrong in ({}, {"train/plain/0": np.zeros(4, np.float32)}, UPDATE | {"train/leak": np.zeros(1)}):
        with pytest.raises(RefusedError) as caught:
            check_shape(wrong, spec)
        assert caught.value.code == "wrong-update"


def test_the_newest_open_round_is_chosen_and_a_closed_one_waited_past(seat: Seat) -> None:
    keys = seat.channel.keys
    for name in ("000001/round.json", "000001/outcome.json", "000002/round.json", "000002/outcome.json"):
        seat.shared.put_new(keys.rounds + name, b"{}")
    assert newest_round(seat) == 2
    with pytest.raises(PatienceError, match="round 3 was not opened"):
        wait_for_round(seat, 0)
    seat.shared.put_new(f"{keys.rounds}000003/round.json", b"{}")
    assert wait_for_round(seat, 0) == 3
    seat.shared.put_new(f"{keys.rounds}000003/outcome.json", b"{}")
    seat.shared.put_new(keys.final, b"{}")
    assert wait_for_round(seat, 3) is None


def test_the_end_of_a_run_is_seen_when_the_server_tells_of_it(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One ring for each object: who does not look at its ring would wait for the next."""
    keys, looks = seat.channel.keys, []

    class Told(SilentWatch):
        told = True

    def watch(store: object, prefix: str, bell: threading.Event) -> Told:
        bell.set()
        return Told()

    def exists(store: DirectoryStore, key: str) -> bool:
        looks.append(key)
        if len(looks) == 3:  # when both were looked at once
            seat.shared.put_new(keys.final, b"{}")
        return real(store, key)

    real = DirectoryStore.exists
    monkeypatch.setattr(DirectoryStore, "watch", watch)
    monkeypatch.setattr(DirectoryStore, "exists", exists)
    monkeypatch.setattr(waiting, "SAFETY_SECONDS", 1e6)
    patient = replace(seat, settings=seat.settings.model_copy(update={"round_wait_s": 5.0}))
    assert wait_for_round(patient, 0) is None
    assert looks.count(keys.final) == 2
