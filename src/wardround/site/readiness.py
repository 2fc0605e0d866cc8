"""Whether a site could take part in a run: its login reaches its buckets, and no others; the coordinator knows its key.

Nothing is written: what is published stays for ever.
"""

import threading
from collections.abc import Iterator

from wardround.errors import WardroundError
from wardround.exchange.connect import open_exchange
from wardround.exchange.envelope import PublicKey, SigningKey
from wardround.exchange.errors import DeniedError
from wardround.exchange.findings import Finding, attempt, reached, untold
from wardround.exchange.layout import COORDINATOR, FEDERATION_KEY, Layout
from wardround.exchange.membership import newest_epoch, read_members
from wardround.exchange.records import Channel, Peer
from wardround.exchange.store import Exchange
from wardround.site.settings import SiteSettings


def exchange_findings(settings: SiteSettings, other_site: str | None) -> Iterator[Finding]:
    """What this site's login may and may not do at the exchange. Raises ConfigurationError for illegal settings."""
    layout, exchange = Layout(settings.federation), open_exchange(settings.exchange, threading.Event())
    try:
        own = [layout.federation, layout.site(settings.site)]
        allowed = [reached(exchange.store(bucket)) for bucket in own]
        yield from allowed
        inside = all(found.ok for found in allowed)
        yield _membership(exchange, settings) if inside else untold("this site is a member")
        others = [layout.coordinator, *([layout.site(other_site)] if other_site else [])]
        for bucket in others:
            # A wrong login is refused everywhere, which proves nothing.
            yield _refused(exchange, bucket) if inside else untold(f"bucket {bucket} is refused")
    finally:
        exchange.close()


def _refused(exchange: Exchange, bucket: str) -> Finding:
    what, store = f"bucket {bucket} is refused", exchange.store(bucket)
    for verb, action in (("read", lambda: store.exists(FEDERATION_KEY)), ("list", lambda: [*store.list("")])):
        try:
            action()
        except DeniedError:
            continue
        except WardroundError as error:
            return Finding(what, False, f"{verb}: not refused, but {error} [{error.code}]")
        return Finding(what, False, f"this login can {verb} it; its policy on the exchange is too wide")
    return Finding(what, True, "neither read nor listed")


def _membership(exchange: Exchange, settings: SiteSettings) -> Finding:
    what, store = "this site is a member", exchange.store(Layout(settings.federation).federation)

    def look() -> str:
        key = SigningKey.load(settings.key_file)
        channel = Channel(settings.federation, settings.run, settings.site, key)
        coordinator = Peer(COORDINATOR, PublicKey(settings.coordinator_key))
        members = read_members(channel, store, newest_epoch(store), coordinator).members
        if members.get(settings.site) != key.public.text:
            raise WardroundError(
                f"the coordinator does not list {settings.site!r} with this site's key; send it the key",
                code="unknown-signer",
            )
        return f"one of {len(members)}, by the coordinator's signature"

    if not store.exists(FEDERATION_KEY):
        return untold(what, f"{FEDERATION_KEY} is not published yet")
    return attempt(what, look)
