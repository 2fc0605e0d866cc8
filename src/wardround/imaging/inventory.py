"""What is known of a source's files without opening one: enough to say whether they are the same as before."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from wardround.imaging.scan import list_files


class Inventory(BaseModel):
    """A source's files: POSIX path relative to it → size in bytes and time of the last change in ns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: dict[str, tuple[int, int]]

    @classmethod
    def of(cls, source: Path) -> Inventory:
        """All files below a folder, in the order of their paths."""
        return cls(files={path: _seen(source / path) for path in list_files(source)})

    @property
    def paths(self) -> list[str]:
        """Where the files are, sorted."""
        return list(self.files)

    def fits(self, source: Path) -> bool:
        """Whether all that lies below the folder is in this inventory, and is as it says. Some may be missing."""
        return Inventory.of(source).files.items() <= self.files.items()


def _seen(path: Path) -> tuple[int, int]:
    status = os.lstat(path)
    return status.st_size, status.st_mtime_ns
