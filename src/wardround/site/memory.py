"""What the coordinator has shown to this site, kept so that a second look can be compared with the first.

    seen.sha256     a line for each object: its SHA-256, two spaces, its key; only ever added to
    seen/<key>      the bytes themselves, as evidence: those of the run, of the newest rounds, and of the newest lists

A digest stands here only after its object was opened with the coordinator's key, so two different ones for one key
are two different things that the coordinator has said. The files are not synced: after a power cut less may be known,
never something else, because a line is taken whole or not at all and bytes count only if their digest is the line's.
"""

import hashlib
import re
from functools import cached_property
from pathlib import Path

from wardround.exchange.files import whole_file
from wardround.site.journal import Journal

_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9._/-]{1,512})", re.ASCII)
# A round has two objects of at most 8 MiB, a list of members at most 1 MiB, and each run may have a list of its own: a
# coordinator must not fill a hospital's disk with them.
_KEPT_ROUNDS = _KEPT_LISTS = 16


class Memory:
    """What was seen in one place: in a run, or in the whole federation. Used by one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "seen"
        self._journal = Journal(folder / "seen.sha256")

    @cached_property
    def _known(self) -> dict[str, str]:
        found = filter(None, map(_LINE.fullmatch, self._journal.lines()))
        known: dict[str, str] = {}
        for line in found:
            known.setdefault(line[2], line[1])
        return known

    def recall(self, key: str) -> str | None:
        """The SHA-256 of what was seen first under a key; None if nothing was."""
        return self._known.get(key)

    def note(self, key: str, digest: str) -> None:
        """Remembers a digest, if none is remembered for the key."""
        if key not in self._known:
            self._journal.add(f"{digest}  {key}")
            self._known[key] = digest

    def keep(self, key: str, data: bytes) -> None:
        """Keeps the bytes of an object whose digest is remembered, and drops those of rounds and lists long past."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(key)
        if path.exists() and path.read_bytes() == data:
            return
        with whole_file(path) as file:
            file.write(data)
        rounds = sorted({each.name[: len("rounds_000001")] for each in self._folder.glob("rounds_*")})
        for old in rounds[:-_KEPT_ROUNDS]:
            for each in self._folder.glob(f"{old}_*"):
                each.unlink()
        lists = sorted(self._folder.glob("federation*.json"), key=lambda each: each.stat().st_mtime_ns)
        for each in lists[:-_KEPT_LISTS]:
            each.unlink()

    def kept(self) -> dict[str, bytes]:
        """Key → bytes of everything that is kept and whole."""
        found = {key: self._path(key) for key in self._known}
        read = {key: path.read_bytes() for key, path in found.items() if path.exists()}
        return {
            key: data for key, data in read.items() if hashlib.sha256(data).hexdigest() == self._known[key]
        }

    def _path(self, key: str) -> Path:
        return self._folder / key.replace("/", "_")
