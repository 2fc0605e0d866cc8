"""From an archive to a spool: all that is not there yet, several parcels at once."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from wardround.imaging.sources.archive import Archive, Parcel, Unfetched
from wardround.imaging.sources.errors import NothingFetchedError, ParcelError, disk_errors_named
from wardround.imaging.sources.patience import Patience
from wardround.imaging.sources.spool import Spool
from wardround.imaging.sources.threads import in_parallel

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Terms:
    """How parcels are fetched: so many at once, with this patience."""

    connections: int = 4
    patience: Patience = field(default_factory=Patience)


def deliver(
    archive: Archive,
    parcels: Sequence[Parcel],
    spool: Spool,
    terms: Terms,
    stop: threading.Event,
    progress: Progress = lambda stage, done, total: None,
) -> list[Unfetched]:
    """Fetches every parcel that the spool does not have, and returns those that could not be fetched.

    `progress("fetch", done, total)` counts parcels. Raises StoppedError; AwayError when the archive stays away;
    NoSpaceError; NothingFetchedError when not a single parcel could be had. After each of them the next call goes on.
    """
    waiting = [parcel for parcel in parcels if not spool.has(parcel)]
    done, total, unfetched = len(parcels) - len(waiting), len(parcels), []
    progress("fetch", done, total)

    def count(failed: Unfetched | None) -> None:
        nonlocal done
        done += 1
        unfetched.extend([failed] if failed else [])
        progress("fetch", done, total)

    in_parallel(partial(_bring, archive, spool, terms.patience), waiting, terms.connections, stop, count)
    if unfetched and len(unfetched) == total:
        reasons = frozenset(failed.why for failed in unfetched)
        said = ", ".join(sorted(why.value for why in reasons))
        raise NothingFetchedError(f"none of {total} selected parcels could be fetched ({said})", reasons)
    return sorted(unfetched, key=lambda failed: failed.parcel.name)


def _bring(
    archive: Archive, spool: Spool, patience: Patience, parcel: Parcel, halt: threading.Event
) -> Unfetched | None:
    if parcel.why is not None:
        return Unfetched(parcel, parcel.why)
    target = spool.part(parcel)
    try:
        with disk_errors_named(spool.root):
            patience.insist(lambda: archive.fetch(parcel, target, halt), archive.check, halt)
            spool.commit(parcel)
    except ParcelError as error:
        return Unfetched(parcel, error.why)
    return None
