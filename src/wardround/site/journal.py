"""Lines that are only ever added to a file of the site's own; what a crash left of one is passed over."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wardround.exchange.files import no_space_named


@dataclass(frozen=True)
class Journal:
    """A text file of lines, readable by its owner alone. Several processes may add to it at once."""

    path: Path

    def lines(self) -> Iterator[str]:
        """The lines so far, oldest first; the reader checks each, because the disk may have lost part of one."""
        if self.path.exists():
            yield from self.path.read_text("utf-8", errors="replace").splitlines()

    def add(self, line: str) -> None:
        """Adds a line, in one write. Raises NoSpaceError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with no_space_named(str(self.path)), os.fdopen(os.open(self.path, flags, 0o600), "ab", 0) as file:
            # A line that a killed process left half written must not spoil this one.
            file.write(f"\n{line}\n".encode())
