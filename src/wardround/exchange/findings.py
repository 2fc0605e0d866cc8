"""What a look at the exchange finds before a first run: each thing that was looked at is one finding."""

from collections.abc import Callable
from dataclasses import dataclass

from wardround.errors import WardroundError
from wardround.exchange.layout import FEDERATION_KEY
from wardround.exchange.store import Store


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `ok` is None where it cannot be told, or not yet."""

    what: str
    ok: bool | None
    detail: str


def attempt(what: str, action: Callable[[], str]) -> Finding:
    """The finding of an action that returns what it found, or raises one of our errors."""
    try:
        return Finding(what, True, action())
    except WardroundError as error:
        return Finding(what, False, f"{error} [{error.code}]")


def reached(store: Store) -> Finding:
    """Whether a bucket can be read."""

    def look() -> str:
        store.exists(FEDERATION_KEY)
        return "reached with this login"

    return attempt(f"bucket {store.name}", look)


def untold(what: str, why: str = "cannot be told before its own buckets are reached") -> Finding:
    """A finding that has to wait for another one."""
    return Finding(what, None, why)
