"""Whether a coordinator could open a run: its buckets and the hospitals', writes that stay, its key, its registry.

One small object stays in the coordinator's own bucket: that nothing can be written over is only seen by trying.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from wardround.cluster.credentials import Credential
from wardround.cluster.mlflow_server import MlflowServer
from wardround.errors import WardroundError
from wardround.exchange.connect import open_exchange
from wardround.exchange.envelope import SigningKey
from wardround.exchange.errors import ExistsError
from wardround.exchange.findings import Finding, attempt, reached, untold
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.exchange.membership import members_key, newest_epoch, read_members
from wardround.exchange.records import Channel, Peer
from wardround.exchange.store import Store

WRITE_ONCE = "checks/write-once"
_PATIENCE_S = 10.0


class CheckSettings(BaseModel):
    """Those of `CoordinatorSettings` that can be checked before there is a run. Other fields are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    federation: str
    exchange: str
    key_file: Path
    members: Mapping[str, str] = {}
    tracking_uri: str | None = None


def exchange_findings(settings: CheckSettings) -> Iterator[Finding]:
    """What the coordinator's login does at the exchange. Raises ConfigurationError for illegal settings."""
    layout, exchange = Layout(settings.federation), open_exchange(settings.exchange, threading.Event())
    try:
        own = [reached(exchange.store(bucket)) for bucket in (layout.federation, layout.coordinator)]
        yield from own
        yield from (reached(exchange.store(layout.site(member))) for member in sorted(settings.members))
        inside = all(found.ok for found in own)
        shared, mine = exchange.store(layout.federation), exchange.store(layout.coordinator)
        yield _write_once(mine) if inside else untold("what is written stays")
        yield _key(settings, shared) if inside else untold("the key is the federation's")
    finally:
        exchange.close()


def registry_finding(
    tracking_uri: str, environment: Mapping[str, str] = os.environ, patience_s: float = _PATIENCE_S
) -> Finding:
    """Whether MLflow knows the coordinator by the login in MLFLOW_TRACKING_USERNAME and …_PASSWORD."""
    what = "MLflow knows the coordinator"
    user = environment.get("MLFLOW_TRACKING_USERNAME")
    if not user:
        return Finding(what, None, "no login is given: an MLflow that asks for none is not looked at")
    login = Credential(user, environment.get("MLFLOW_TRACKING_PASSWORD", ""))

    def ask() -> str:
        if not MlflowServer(tracking_uri, login, patience_s).knows_me():
            raise WardroundError(f"{tracking_uri} does not know {user!r} by this password", code="denied")
        return f"{tracking_uri} knows {user!r}"

    return attempt(what, ask)


def _write_once(store: Store) -> Finding:
    def twice() -> str:
        with suppress(ExistsError):  # that of an earlier check
            store.put_new(WRITE_ONCE, b"first")
        try:
            store.put_new(WRITE_ONCE, b"second")
        except ExistsError:
            return "a second write under one key is refused"
        raise WardroundError(
            "the server let a second write replace the first: it does not honour If-None-Match, and a federation "
            "cannot use it",
            code="not-write-once",
        )

    return attempt("what is written stays", twice)


def _key(settings: CheckSettings, store: Store) -> Finding:
    what = "the key is the federation's"

    def look() -> str:
        key = SigningKey.load(settings.key_file)
        if not (epoch := newest_epoch(store)):
            return f"{key.public.text}; nothing is signed with it yet"
        channel = Channel(settings.federation, "none", COORDINATOR, key)
        read_members(channel, store, epoch, Peer(COORDINATOR, key.public))
        return f"{key.public.text} has signed {members_key(epoch)}"

    return attempt(what, look)
