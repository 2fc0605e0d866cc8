"""Running the federation: a process for each party, and a view on what they do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from wardround.errors import StoppedError
from wardround.exchange.connect import open_exchange
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.exchange.patience import PatientExchange
from wardround.exchange.records import Channel, Peer
from wardround.exchange.s3 import S3Exchange
from wardround.exchange.settings import from_environment
from wardround.exchange.store import Exchange
from wardround.local.children import Children, Ended, Mailbox, Progress
from wardround.local.launch import Federation, coordinator_task, site_task
from wardround.local.live import display
from wardround.local.setup import FEDERATION, coordinator_variables
from wardround.local.watch import RunView, Snapshot, follow

Event = Progress | Ended | Snapshot | Exception
_OUTAGE_SECONDS = 60.0


def federate(federation: Federation, console: Console, stop: threading.Event) -> Snapshot:
    """Starts everybody, shows the rounds, and returns the run as it ended.

    Raises ChildError when a process fails, after all others were stopped; StoppedError.
    """
    mailbox: Mailbox[Event] = Mailbox(stop)
    title = f"{federation.choices.recipe.name}, {len(federation.sites)} sites"
    with Children(mailbox.put, str(federation.folder.root)) as children, _watching(federation, mailbox):
        for task in (
            coordinator_task(federation),
            *(site_task(federation, site) for site in federation.sites),
        ):
            children.start(task)
        with display(console, federation.sites, title) as shown:
            running, last = {COORDINATOR, *federation.sites}, Snapshot()
            while running or last.final is None:
                event = mailbox.get()
                if isinstance(event, Snapshot):
                    last = event
                    shown.show(event)
                elif isinstance(event, Ended):
                    _check(event, children)
                    running.discard(event.name)
                elif isinstance(event, Exception):
                    raise event
    return last


def read_final(federation: Federation) -> Snapshot:
    """The run as it is in the exchange."""
    exchange = _open(federation, threading.Event())
    try:
        return _view(federation, exchange).look()
    finally:
        exchange.close()


def _check(ended: Ended, children: Children) -> None:
    if ended.code != 0:
        raise children.failure(ended)


@contextmanager
def _watching(federation: Federation, mailbox: "Mailbox[Event]") -> Iterator[None]:
    """A thread that puts every change of the run into the mailbox, until the block ends."""
    stop = threading.Event()
    exchange = PatientExchange(_open(federation, stop), _OUTAGE_SECONDS, stop)

    def work() -> None:
        try:
            follow(_view(federation, exchange), mailbox.put, stop)
        except StoppedError:
            pass  # the block has ended, nobody listens
        except Exception as error:
            mailbox.put(error)

    thread = threading.Thread(target=work, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=1)
        exchange.close()


def create_buckets(federation: Federation) -> None:
    """Makes all buckets, so that whoever starts first finds them."""
    layout = Layout(FEDERATION)
    exchange = _open(federation, threading.Event())
    for bucket in (layout.federation, layout.coordinator, *map(layout.site, federation.sites)):
        exchange.create_bucket(bucket)
    exchange.close()


def _open(federation: Federation, stop: threading.Event) -> Exchange:
    """The exchange with the coordinator's identity."""
    if federation.choices.exchange_url is not None:
        return open_exchange(federation.exchange, stop)
    return S3Exchange(from_environment(federation.exchange, coordinator_variables(federation.folder)), stop)


def _view(federation: Federation, exchange: Exchange) -> RunView:
    key = federation.parties.coordinator
    channel = Channel(FEDERATION, federation.choices.run, COORDINATOR, key, federation.digest)
    return RunView(exchange, channel, federation.sites, Peer(COORDINATOR, key.public))
