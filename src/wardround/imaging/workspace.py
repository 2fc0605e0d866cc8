"""The intake's own folder inside the output folder: finished chunks, kept until the dataset is complete.

It holds keyed hashes, relative paths and decoded pixels; like `refusals.csv` it never leaves the hospital.
"""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wardround.imaging.dataset import FILE_NAME, DatasetInfo
from wardround.imaging.items import Refused
from wardround.imaging.quarantine import Quarantine
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.splits import keyed
from wardround.imaging.statistics import model

FOLDER = ".intake"
REFUSALS = "refusals.csv"
# Part of every fingerprint: raise it when the same input gives other pixels or another order.
_VERSION = 2


@dataclass(frozen=True)
class Workspace:
    """The working folder of one fingerprint in the output folder `out`."""

    out: Path
    fingerprint: str

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
        """Makes the folder; what an intake with other inputs or settings left in `out` is removed first."""
        if not self.folder.exists():
            # The description goes first: shards without it are no dataset.
            for name in (FILE_NAME, REFUSALS, model.FILE_NAME):
                (self.out / name).unlink(missing_ok=True)
            for shard in self.out.glob("*-of-*.tfrecord"):
                shard.unlink()
            shutil.rmtree(self.out / FOLDER, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        for stale in (*self.folder.glob("*.busy"), *self.folder.glob("*.part")):
            stale.unlink()

    def close(self, info: DatasetInfo) -> None:
        """Marks the intake as finished and removes the chunks."""
        part = self.out / FOLDER / "done.json.part"
        part.write_text(json.dumps({"fingerprint": self.fingerprint, "digest": info.digest}))
        os.replace(part, part.with_suffix(""))
        shutil.rmtree(self.folder)


def fingerprint(
    source: Path, paths: Sequence[str], labels: Path, settings: IntakeSettings, key: bytes
) -> str:
    """A hash of everything that the output depends on: files (path, size, time), labels, settings, key, decisions."""
    content = hashlib.sha256(json.dumps([_VERSION, settings.described()], sort_keys=True).encode())
    content.update(keyed(key, "fingerprint", "").encode())
    content.update(hashlib.sha256(labels.read_bytes()).digest())
    content.update(settings.devices.read_bytes() if settings.devices else b"")
    if settings.quarantine is not None:
        content.update(Quarantine(settings.quarantine).digest())
    for path in paths:
        status = os.lstat(source / path)
        content.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return content.hexdigest()[:32]


def write_refusals(out: Path, refused: Iterable[Refused]) -> None:
    """Writes `refusals.csv`: path relative to the source, reason, kind of object. For the people at the hospital."""
    part = out / f"{REFUSALS}.part"
    with part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
        table = csv.writer(stream)
        table.writerow(("file", "reason", "sop_class", "transfer_syntax"))
        table.writerows(
            sorted((one.path, one.reason.value, one.kind.sop_class, one.kind.syntax) for one in refused)
        )
    os.replace(part, out / REFUSALS)


def _complete(out: Path, info: DatasetInfo) -> bool:
    files = (file for split in info.splits.values() for file in split.files)
    return (out / model.FILE_NAME).is_file() and all(
        (out / file.name).is_file() and (out / file.name).stat().st_size == file.bytes for file in files
    )
