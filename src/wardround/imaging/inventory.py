"""What is known of a source's files without opening one: enough to say whether they are the same as before."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from wardround.imaging.reading.files import SourceFile, SourcePath, list_files, size_and_time


class Inventory(BaseModel):
    """A source's files: POSIX path relative to it → size in bytes and time of the last change in ns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: dict[SourcePath, tuple[int, int]]

    @classmethod
    def of(cls, source: Path, *, follow_links: bool = False) -> Inventory:
        """All files below a folder, in the order of their paths."""
        paths = list_files(source, follow_links=follow_links)
        return cls(files={path: size_and_time(SourceFile(source, path, follow_links)) for path in paths})

    @property
    def paths(self) -> list[str]:
        """Where the files are, sorted."""
        return list(self.files)

    def fits(self, source: Path) -> bool:
        """Whether all that lies below the folder is in this inventory, and is as it says. Some may be missing."""
        return Inventory.of(source).files.items() <= self.files.items()
