"""Who belongs to a federation: a signed list, and another one whenever it changes.

    federation.json           epoch 1
    federation-000002.json    epoch 2, and so on

A run names its epoch, so its members are those of the moment in which it was opened; lists stay, like everything in
the exchange. The newest one is that of the next run.
"""

import re

from wardround.errors import RefusedError
from wardround.exchange.layout import FEDERATION_KEY
from wardround.exchange.messages import FederationMessage
from wardround.exchange.records import Channel, Peer, Record
from wardround.exchange.store import Store, put_idempotent

_LATER = re.compile(r"federation-([0-9]{6,})\.json", re.ASCII)


def members_key(epoch: int) -> str:
    """Where an epoch's list is."""
    return FEDERATION_KEY if epoch == 1 else f"federation-{epoch:06d}.json"


def newest_epoch(store: Store) -> int:
    """The number of the newest list, 0 if there is none. Raises errors of the exchange."""
    later = (_LATER.fullmatch(key) for key in store.list("federation-"))
    newest = max((int(found[1]) for found in later if found), default=1)
    return newest if newest > 1 else int(store.exists(FEDERATION_KEY))


def read_members(channel: Channel, store: Store, epoch: int, coordinator: Peer) -> FederationMessage:
    """An epoch's list. Raises MissingError; RefusedError for one that the coordinator has not signed as this epoch's."""
    return fetch_members(channel, store, epoch, coordinator).message


def fetch_members(channel: Channel, store: Store, epoch: int, coordinator: Peer) -> Record[FederationMessage]:
    """`read_members`, with the bytes that the list was read from."""
    key = members_key(epoch)
    record = channel.open(store.get(key, limit=FederationMessage.limit), FederationMessage, coordinator)
    if record.message.epoch != epoch:
        raise RefusedError(f"{key} is the list of epoch {record.message.epoch}", code="malformed")
    return record


def publish_members(channel: Channel, store: Store, coordinator: str, members: dict[str, str]) -> int:
    """Publishes the list, as a new epoch's if it is not the newest one's; returns the epoch.

    `coordinator`, `members`: texts of public keys. Can be repeated. Raises ConflictError when somebody else publishes
    another list at the same time.
    """
    newest = newest_epoch(store)
    wanted = FederationMessage(
        name=channel.federation, epoch=max(newest, 1), coordinator=coordinator, members=members
    )
    if newest and _is_there(channel, store, wanted):
        return newest
    epoch = newest + 1
    data = channel.seal(wanted.model_copy(update={"epoch": epoch}))
    put_idempotent(store, members_key(epoch), data)
    return epoch


def _is_there(channel: Channel, store: Store, wanted: FederationMessage) -> bool:
    try:
        return read_members(channel, store, wanted.epoch, channel.author) == wanted
    except RefusedError:
        return False  # signed with a key that the coordinator had before
