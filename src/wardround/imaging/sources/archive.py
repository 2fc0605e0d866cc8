"""What every source that is not a folder can do: say what it has, and hand it over piece by piece."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from wardround.imaging.sources.errors import Why


@dataclass(frozen=True)
class Parcel:
    """What is fetched as a whole: a study, or an object.

    `name` is a keyed hash of the address and of what tells its versions apart: it names the parcel on disk.
    `address` is the archive's own name for it. It may name a patient, so it is in no text that is shown.
    `why`: what is known already to keep it from being fetched.
    """

    name: str
    address: str = field(repr=False)
    why: Why | None = None


@dataclass(frozen=True)
class Unfetched:
    """A parcel that was not fetched, and why."""

    parcel: Parcel
    why: Why


class Archive(Protocol):
    """A source that is not a folder. Safe to use from several threads.

    Every method may raise AwayError, SourceDeniedError and UntrustedSourceError.
    """

    def find(self, stop: threading.Event) -> list[Parcel]:
        """What was selected, each once, in a fixed order. Raises StoppedError, SourceError."""

    def fetch(self, parcel: Parcel, target: Path, stop: threading.Event) -> None:
        """Writes a parcel to `target`, a file or a folder; goes on with what an earlier try left in a folder.

        Raises ParcelError, NoSpaceError, StoppedError.
        """

    def check(self) -> None:
        """Returns if the archive answers at all."""
