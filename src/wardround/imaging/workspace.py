"""The intake's own folder inside the output folder: finished chunks, kept until the dataset is complete.

It holds keyed hashes, relative paths and decoded pixels; like `refusals.csv` it never leaves the hospital.
"""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wardround.csv_cells import write_rows
from wardround.exchange.files import whole_path
from wardround.imaging import begun, kept, label_file
from wardround.imaging.begun import Begun, Decisions
from wardround.imaging.chunks import DecodeChunk
from wardround.imaging.dataset import FILE_NAME, DatasetError, DatasetInfo
from wardround.imaging.inventory import Inventory
from wardround.imaging.items import Refused
from wardround.imaging.quarantine import Quarantine
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.splits import keyed
from wardround.imaging.statistics import model
from wardround.limited import read_limited
from wardround.yaml_text import LIMIT

FOLDER = ".intake"
REFUSALS = "refusals.csv"
# What the source's files were, where they are not kept; whoever wrote it looks whether it still holds.
RECEIPT = "source.json"
# Part of every fingerprint: raise it when the same input gives other pixels or another order.
_VERSION = 3


@dataclass(frozen=True)
class Workspace:
    """The working folder of one fingerprint in the output folder `out`.

    base: the fingerprint but for the decisions about images in quarantine; decisions: these.
    """

    out: Path
    fingerprint: str
    base: str = ""
    decisions: Decisions = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where this intake's chunks lie."""
        return self.out / FOLDER / self.fingerprint

    def finished(self) -> DatasetInfo | None:
        """The dataset of an earlier run with the same fingerprint, if it is complete."""
        mark = self.out / FOLDER / "done.json"
        if not mark.exists() or not (self.out / FILE_NAME).exists():
            return None
        done, info = json.loads(mark.read_text()), DatasetInfo.load(self.out)
        same = done == {"fingerprint": self.fingerprint, "digest": info.digest}
        return info if same and _complete(self.out, info) else None

    def open(self) -> None:
        """Makes the folder. What an intake with other inputs or settings left in `out` is removed; of one in which
        other decisions were made, finished or not, all that these don't touch is taken over."""
        if not (self.folder / begun.NAME).exists():
            self._begin()
        self._begun.write(self.folder)
        # The description goes first: shards without it are no dataset.
        for name in (FILE_NAME, REFUSALS, model.FILE_NAME):
            (self.out / name).unlink(missing_ok=True)
        for shard in self.out.glob("*-of-*.tfrecord"):
            shard.unlink()
        for other in (self.out / FOLDER).iterdir():
            if other != self.folder and other.name != RECEIPT:
                shutil.rmtree(other) if other.is_dir() else other.unlink()
        for stale in (*self.folder.glob("*.busy"), *self.folder.glob("*.part")):
            stale.unlink()

    @property
    def _begun(self) -> Begun:
        return Begun(base=self.base, decisions=self.decisions)

    def _begin(self) -> None:
        # Without a description it is an earlier version's.
        shutil.rmtree(self.folder, ignore_errors=True)
        if found := begun.find(self.out / FOLDER, self.base):
            folder, earlier = found
            begun.forget(folder, earlier.changed(self.decisions))
            folder.rename(self.folder)
        else:
            self._restore()

    def _restore(self) -> None:
        part = self.folder.with_suffix(".begun")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        last = kept.read_kept(self.out / FOLDER)
        if last is not None and last.base == self.base:
            try:
                kept.restore(self.out, last, last.changed(self.decisions), part)
            except DatasetError:
                shutil.rmtree(part)
                part.mkdir()
        self._begun.write(part)
        part.rename(self.folder)

    def close(self, info: DatasetInfo, chunks: Mapping[str, Sequence[DecodeChunk]]) -> None:
        """Marks the intake as finished and removes the chunks; what the next one may use of them is kept."""
        kept.keep(self.folder, self.base, self.decisions, chunks)
        part = self.out / FOLDER / "done.json.part"
        part.write_text(json.dumps({"fingerprint": self.fingerprint, "digest": info.digest}))
        os.replace(part, part.with_suffix(""))
        begun.end(self.folder)
        shutil.rmtree(self.folder)


def workspace(
    out: Path, inventory: Inventory, labels: Path, settings: IntakeSettings, key: bytes
) -> Workspace:
    """The working folder for these inputs and what has been decided so far."""
    base, decisions = fingerprint(inventory, labels, settings, key), _decisions(settings)
    return Workspace(out, _decided(base, decisions), base, decisions or {})


def _decisions(settings: IntakeSettings) -> Decisions | None:
    return None if settings.quarantine is None else Quarantine(settings.quarantine).decisions()


def _decided(base: str, decisions: Decisions | None) -> str:
    said = b"" if decisions is None else _digest(decisions)
    return hashlib.sha256(base.encode() + said).hexdigest()[:32]


def _digest(decisions: Decisions) -> bytes:
    return hashlib.sha256(json.dumps(sorted(decisions.items())).encode()).digest()


def fingerprint(inventory: Inventory, labels: Path, settings: IntakeSettings, key: bytes) -> str:
    """A hash of everything that the output depends on but for people's decisions: files, labels, settings, key."""
    content = hashlib.sha256(json.dumps([_VERSION, settings.described()], sort_keys=True).encode())
    content.update(keyed(key, "fingerprint", "").encode())
    content.update(hashlib.sha256(read_limited(labels, label_file.MAX_BYTES, "label table")).digest())
    content.update(b"links" if settings.follow_links else b"")
    if settings.devices:
        content.update(read_limited(settings.devices, LIMIT, "device catalogue"))
    for path, (size, changed) in inventory.files.items():
        content.update(f"{path}\0{size}\0{changed}\n".encode("utf-8", "surrogateescape"))
    return content.hexdigest()[:32]


def write_refusals(out: Path, refused: Iterable[Refused]) -> None:
    """Writes `refusals.csv`: path relative to the source, reason, kind of object. For the people at the hospital.

    Names of files are anybody's: see `csv_cells` for how they are written.
    """
    rows = sorted((one.path, one.reason.value, one.kind.sop_class, one.kind.syntax) for one in refused)
    with whole_path(out / REFUSALS) as part, part.open("x", newline="", encoding="utf-8") as stream:
        write_rows(stream, (("file", "reason", "sop_class", "transfer_syntax"), *rows))


def read_refusals(out: Path) -> frozenset[str]:
    """The paths in `refusals.csv`, each as `csv_cells.cell` writes it."""
    with (out / REFUSALS).open(newline="", encoding="utf-8") as stream:
        return frozenset(row[0] for row in csv.reader(stream))


def _complete(out: Path, info: DatasetInfo) -> bool:
    files = (file for split in info.splits.values() for file in split.files)
    return (out / model.FILE_NAME).is_file() and all(
        (out / file.name).is_file() and (out / file.name).stat().st_size == file.bytes for file in files
    )
