"""The spool: a folder on the hospital's own volume that fills with a selection's files.

    <root>/files/<xx>/<name>   parcels; one is there whole or not at all, so this is also the list of what is done
    <root>/parts/<name>        parcels on their way
    <root>/unfetched.csv       what could not be fetched: for the people at the hospital

Everything in it can name patients: only its owner may read it. Names of files are keyed hashes, never a text
that the archive has chosen, and their time is fixed, so that the same content gives the same folder.
"""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wardround.csv_cells import write_rows
from wardround.errors import ConfigurationError
from wardround.imaging.sources.archive import Parcel, Unfetched
from wardround.imaging.sources.errors import disk_errors_named
from wardround.private_files import tighten

UNFETCHED = "unfetched.csv"


@dataclass(frozen=True)
class Spool:
    """The spool in the folder `root`."""

    root: Path

    @property
    def trash(self) -> Path:
        """What is being removed."""
        return self.root / "trash"

    @property
    def files(self) -> Path:
        """What the intake reads."""
        return self.root / "files"

    def has(self, parcel: Parcel) -> bool:
        """Whether the parcel is there, whole."""
        return self._place(parcel.name).exists()

    @staticmethod
    def parcel_name(path: str) -> str:
        """The name of the parcel to which a file belongs, given by its path relative to `files`."""
        return PurePosixPath(path).parts[1]

    def part(self, parcel: Parcel) -> Path:
        """Where a parcel lies until it is complete."""
        return self.root / "parts" / parcel.name

    def commit(self, parcel: Parcel) -> None:
        """Moves a complete parcel to its place, synced to disk. Raises NoSpaceError."""
        part, place = self.part(parcel), self._place(parcel.name)
        with disk_errors_named(self.root):
            for path in [part] if part.is_file() else part.rglob("*"):
                if path.is_file():
                    _settle(path)
            place.parent.mkdir(exist_ok=True)
            part.rename(place)

    def prune(self, parcels: Iterable[Parcel]) -> None:
        """Removes what is no longer selected, and older versions of what is."""
        wanted = {parcel.name for parcel in parcels}
        for place in [*self.files.glob("*/*"), *(self.root / "parts").glob("*")]:
            if place.name not in wanted:
                self._drop(place)

    def write_unfetched(self, unfetched: Iterable[Unfetched]) -> None:
        """Writes `unfetched.csv`: the archive's own name of a study or object, and the reason."""
        part = self.root / f"{UNFETCHED}.part"
        with disk_errors_named(self.root), part.open("w", newline="", encoding="utf-8") as stream:
            rows = ((failed.parcel.address, failed.why.value) for failed in unfetched)
            write_rows(stream, (("address", "reason"), *rows))
        part.replace(self.root / UNFETCHED)

    def make(self) -> None:
        """Makes the folders that are not there."""
        for folder in (self.files, self.root / "parts"):
            folder.mkdir(exist_ok=True)

    def clear(self) -> None:
        """Removes every file that was fetched."""
        for folder in (self.files, self.root / "parts"):
            self._drop(folder)
        (self.root / UNFETCHED).unlink(missing_ok=True)

    def _drop(self, path: Path) -> None:
        """Removes a file or folder, so that after a kill no half of it is taken for the whole."""
        if path.exists():
            _remove(self.trash)
            path.rename(self.trash)
            _remove(self.trash)

    def _place(self, name: str) -> Path:
        return self.files / name[:2] / name


@contextmanager
def opened(root: Path) -> Iterator[Spool]:
    """The spool in a folder, which is made; one process has it at a time. Raises ConfigurationError."""
    spool = Spool(root)
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        tighten(root)
        lock = os.open(root / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"spool {str(root)!r} cannot be made ({error.strerror}); give a work folder that can be written"
        ) from error
    try:
        _lock(lock, root)
        _remove(spool.trash)
        spool.make()
        yield spool
    finally:
        os.close(lock)


def _lock(descriptor: int, root: Path) -> None:
    try:
        # The kernel lets go of it when the process ends, however it ends.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ConfigurationError(
            f"another step is fetching into {root}; wait for it to end and start again", code="spool-busy"
        ) from error


def _settle(path: Path) -> None:
    os.utime(path, ns=(0, 0))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
