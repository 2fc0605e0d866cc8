"""Images that wait for a person: the store in a hospital's own work folder.

    <work>/quarantine/<id>/entry.json    facts and decision; written last, so it is the commit mark
                           picture.png   8-bit, what the detector saw, with boxes drawn
    <work>/quarantine/decisions.jsonl    who decided what and when, one line each

It holds pictures of patients and never leaves the hospital. A decision is for one content: a file that changed has
another digest and is asked about again.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wardround.errors import ConfigurationError, WardroundError
from wardround.imaging.burned_in.verdict import Suspicion, Verdict
from wardround.imaging.quarantine_picture import draw
from wardround.imaging.reading.files import Openable, opened
from wardround.limited import read_limited
from wardround.private_files import keep_private, tighten

FOLDER, ENTRY, PICTURE, LOG = "quarantine", "entry.json", "picture.png", "decisions.jsonl"
_ID = re.compile(r"[0-9a-f]{16}")
_BLOCK = 1 << 20
# Of an entry, whose boxes are the most of it.
_MAX_BYTES = 4 << 20


class QuarantineError(WardroundError):
    """An entry is missing or damaged, or several are meant by one name."""

    code = "quarantine"


class State(StrEnum):
    """What a person has said about an entry."""

    WAITING = "waiting"
    RELEASED = "released"
    REJECTED = "rejected"


class Entry(BaseModel):
    """One image or series that waits, or waited.

    id: 16 hex digits of a keyed hash; content: SHA-256 of its files; boxes: (left, top, right, bottom) of what was
    found; frames: first and end of the frames in which it was found; by, at: who decided, and when (UTC).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=_ID.pattern)]
    content: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    modality: Annotated[str, Field(pattern=r"^[A-Z]{0,16}$")] = ""
    files: Annotated[int, Field(ge=1)] = 1
    reasons: tuple[Suspicion, ...]
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    frames: tuple[int, int] | None = None
    state: State = State.WAITING
    by: str = ""
    since: datetime
    at: datetime | None = None


class Quarantine:
    """The store below a work folder. Several processes may use it at once: each file appears whole or not at all."""

    def __init__(self, work: Path) -> None:
        """work: the hospital's work folder; nothing is made before there is something to keep."""
        self.folder = work / FOLDER

    def state_of(self, identifier: str, content: str) -> State | None:
        """What was said about this very content, or None if it was never kept here."""
        entry = self._load(self._place(identifier) / ENTRY)
        return entry.state if entry and entry.content == content else None

    def knows(self, identifier: str) -> bool:
        """Whether there is an entry of that name, for whatever content: only then is a digest worth computing."""
        return (self._place(identifier) / ENTRY).exists()

    def put(
        self, identifier: str, content: str, verdict: Verdict, modality: str = "", files: int = 1
    ) -> Entry:
        """Keeps a quarantined object; one that is here with the same content stays, and so does its decision."""
        folder = self._place(identifier)
        known = self._load(folder / ENTRY)
        if known is not None and known.content == content:
            return known
        entry = Entry(
            id=folder.name,
            content=content,
            modality=re.sub("[^A-Z]", "", modality.upper())[:16],
            files=files,
            reasons=verdict.reasons,
            boxes=tuple(finding.box for finding in verdict.findings),
            frames=(verdict.findings[0].first, verdict.findings[0].end) if verdict.findings else None,
            since=_now(),
        )
        self._open(folder)
        folder.mkdir(exist_ok=True)
        (folder / PICTURE).unlink(missing_ok=True)
        if verdict.picture is not None:
            _write(folder / PICTURE, draw(verdict.picture, [finding.box for finding in verdict.findings]))
        _write(folder / ENTRY, entry.model_dump_json(indent=2).encode())
        return entry

    def entries(self, state: State | None = None) -> list[Entry]:
        """All entries, or those of one state, oldest first."""
        found = (self._load(path) for path in sorted(self.folder.glob(f"*/{ENTRY}")))
        kept = [entry for entry in found if entry is not None and state in (None, entry.state)]
        return sorted(kept, key=lambda entry: (entry.since, entry.id))

    def decisions(self) -> dict[str, tuple[str, str]]:
        """What was decided about each entry: its content, and the state."""
        decided = (entry for entry in self.entries() if entry.at is not None)
        return {entry.id: (entry.content, entry.state.value) for entry in decided}

    def get(self, name: str) -> Entry:
        """The entry whose id is `name` or begins with it. Raises QuarantineError if there is none, or several."""
        found = [entry for entry in self.entries() if name and entry.id.startswith(name.lower())]
        if len(found) != 1:
            raise QuarantineError(
                f"{'no entry' if not found else f'{len(found)} entries'} in quarantine for {name!r}; "
                "see `wardround quarantine list`"
            )
        return found[0]

    def picture(self, entry: Entry) -> Path | None:
        """Where an entry's picture lies, if it has one."""
        path = self.folder / entry.id / PICTURE
        return path if path.is_file() else None

    def decide(self, entry: Entry, state: State, by: str) -> Entry:
        """Writes down a decision about the content that `entry` describes; a later one replaces it.

        Raises QuarantineError if the entry has changed since it was read, or nobody signs.
        """
        if not by.strip():
            raise QuarantineError("a decision needs a name; give it with --by")
        path = self.folder / entry.id / ENTRY
        self._open(path.parent)
        current = self._load(path)
        if current is None or current.content != entry.content:
            raise QuarantineError(f"entry {entry.id} has changed; look at it again")
        decided = current.model_copy(update={"state": state, "by": by.strip(), "at": _now()})
        _write(path, decided.model_dump_json(indent=2).encode())
        self._record(decided)
        return decided

    def _open(self, entry: Path) -> None:
        keep_private()
        self.folder.mkdir(parents=True, exist_ok=True)
        os.chmod(self.folder, 0o700)
        tighten(entry, self.folder / LOG)

    def _place(self, identifier: str) -> Path:
        name = identifier[:16]
        if not _ID.fullmatch(name):
            raise QuarantineError("an entry's identifier is a keyed hash of 16 or more hexadecimal digits")
        return self.folder / name

    def _load(self, path: Path) -> Entry | None:
        if not path.exists():
            return None
        try:
            return Entry.model_validate_json(read_limited(path, _MAX_BYTES, "quarantine entry"))
        except (ConfigurationError, ValidationError) as error:
            raise QuarantineError(f"{path} is damaged; remove its folder to have it asked again") from error

    def _record(self, entry: Entry) -> None:
        line = json.dumps(entry.model_dump(mode="json", include={"id", "content", "state", "by", "at"}))
        with (self.folder / LOG).open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")


def content_digest(paths: Iterable[Openable]) -> str:
    """SHA-256 over files in the order of their own digests, so neither names nor order matter; 64 hex digits."""
    digests = sorted(_file_digest(path) for path in paths)
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _file_digest(file: Openable) -> bytes:
    digest = hashlib.sha256()
    with opened(file) as number, open(number, "rb", closefd=False) as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.digest()


def _write(path: Path, content: bytes) -> None:
    # Two workers may write the same entry: each has its own part.
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    os.replace(part, path)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
