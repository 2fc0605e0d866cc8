"""Lists of members: one for each epoch, a new one when something changed, none replaced."""

from pathlib import Path

import pytest

from wardround.errors import RefusedError
from wardround.exchange.directory import DirectoryExchange
from wardround.exchange.envelope import SigningKey
from wardround.exchange.errors import MissingError
from wardround.exchange.layout import COORDINATOR
from wardround.exchange.membership import members_key, newest_epoch, publish_members, read_members
from wardround.exchange.messages import FederationMessage
from wardround.exchange.records import Channel
from wardround.exchange.store import Store

KEY = SigningKey.generate()
ALDER, BIRCH = (SigningKey.generate().public.text for _ in range(2))


def channel(key: SigningKey = KEY) -> Channel:
    return Channel("ward", "first", COORDINATOR, key)


def publish(store: Store, key: SigningKey = KEY, **members: str) -> int:
    return publish_members(channel(key), store, key.public.text, members)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    exchange = DirectoryExchange(tmp_path)
    exchange.create_bucket("wardround-ward")
    return exchange.store("wardround-ward")


def test_the_same_members_stay_in_the_same_epoch(store: Store) -> None:
    assert newest_epoch(store) == 0
    assert [publish(store, alder=ALDER) for _ in range(2)] == [1, 1]
    assert [*store.list("")] == ["federation.json"]


def test_every_change_is_a_new_epoch_and_earlier_lists_stay(store: Store) -> None:
    lists = [{"alder": ALDER}, {"alder": ALDER, "birch": BIRCH}, {"alder": BIRCH}, {"alder": ALDER}]
    assert [publish(store, **members) for members in lists] == [1, 2, 3, 4]
    assert newest_epoch(store) == 4
    found = [read_members(channel(), store, epoch, channel().author).members for epoch in (1, 2, 3, 4)]
    assert found == lists


def test_a_coordinator_with_a_new_key_signs_a_new_list(store: Store) -> None:
    publish(store, alder=ALDER)
    other = SigningKey.generate()
    assert [publish(store, other, alder=ALDER) for _ in range(2)] == [2, 2]
    with pytest.raises(RefusedError, match="signature"):
        read_members(channel(), store, 2, channel().author)


def test_an_earlier_list_under_a_later_name_is_refused(store: Store) -> None:
    publish(store, alder=ALDER)
    store.put_new(members_key(2), store.get(members_key(1), limit=1 << 20))
    with pytest.raises(RefusedError, match="the list of epoch 1"):
        read_members(channel(), store, 2, channel().author)
    # Nor does it keep the coordinator from writing the next.
    assert publish(store, alder=ALDER) == 3


def test_a_list_that_is_not_there_is_missing(store: Store) -> None:
    with pytest.raises(MissingError):
        read_members(channel(), store, 7, channel().author)


def test_the_first_list_is_where_every_version_looks(store: Store) -> None:
    channel().write(
        store, FederationMessage(name="ward", coordinator=KEY.public.text, members={"alder": ALDER})
    )
    assert publish(store, alder=ALDER) == 1
