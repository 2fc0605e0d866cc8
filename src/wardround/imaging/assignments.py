"""The file that remembers each patient's split: keyed hashes, added to and never changed.

It belongs to one key and one set of fractions, from which its name follows: another key begins another file. Like
the key it stays in the hospital, and like the key it should be backed up: without it, patients who were held out
may be trained on.
"""

import csv
import fcntl
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from wardround.csv_cells import write_rows
from wardround.errors import ConfigurationError
from wardround.imaging.settings import SPLITS
from wardround.imaging.splits import assign, keyed
from wardround.limited import read_limited

_HEADER = ["patient", "split"]
# Of three million patients.
_MAX_BYTES = 256 << 20
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Assignments:
    """The assignments in one file; `fractions` are the shares of train, validation and test."""

    path: Path
    fractions: tuple[float, ...]

    @classmethod
    def of(cls, folder: Path, key: bytes, fractions: Sequence[float]) -> Self:
        """The assignments of a key and fractions, in `folder`."""
        name = keyed(key, "assignments", json.dumps([float(share) for share in fractions]))[:12]
        return cls(folder / f"splits-{name}.csv", tuple(fractions))

    def place(self, stratum_of: Mapping[str, int]) -> dict[str, str]:
        """The split of each patient (keyed hash → stratum); those not seen before are assigned and remembered.

        Several processes may do so at once. Raises ConfigurationError if the file is damaged or cannot be written.
        """
        try:
            with self._locked():
                known = self.read()
                placed = assign(stratum_of, known, self.fractions)
                if placed:
                    self._write(known | placed)
        except OSError as error:
            raise ConfigurationError(
                f"patients' splits cannot be kept in {self.path} ({error.strerror}); give a folder for assignments"
            ) from error
        everyone = known | placed
        return {patient: everyone[patient] for patient in stratum_of}

    def read(self) -> dict[str, str]:
        """All assignments, patient → split; none if there is no file. Raises ConfigurationError, OSError."""
        if not self.path.exists():
            return {}
        content = read_limited(self.path, _MAX_BYTES, "file of splits").decode("utf-8", "replace")
        rows = csv.reader(io.StringIO(content, newline=""))
        if next(rows, None) != _HEADER:
            raise self._damaged(1)
        known: dict[str, str] = {}
        for line, row in enumerate(rows, 2):
            if len(row) != 2 or not _HASH.fullmatch(row[0]) or row[1] not in SPLITS or row[0] in known:
                raise self._damaged(line)
            known[row[0]] = row[1]
        return known

    def _write(self, assigned: Mapping[str, str]) -> None:
        part = self.path.with_suffix(".part")
        with part.open("w", newline="", encoding="utf-8") as stream:
            write_rows(stream, [_HEADER, *assigned.items()])
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, self.path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _damaged(self, line: int) -> ConfigurationError:
        return ConfigurationError(
            f"line {line} of {self.path} is not a patient's hash and split; restore the file from its backup, "
            "for without it held-out patients may be trained on"
        )
