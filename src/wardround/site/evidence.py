"""What convicts a coordinator, on the site's disk, where it stays until a person has looked at it.

    work/…/<run>/evidence/what.json    what happened, what each file is, its SHA-256, and how to check it
    work/…/<run>/evidence/*.json       the signed objects, byte for byte

Every object is signed by the coordinator or by a member, so whoever has the public keys can check it without
believing this site. While the folder is there, the site takes no part in the run.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from wardround.errors import RefusedError
from wardround.exchange.files import no_space_named
from wardround.site.context import Seat

EQUIVOCATION = "equivocation"
_HOW = (
    "Each file is an envelope: canonical JSON with an Ed25519 signature (RFC 8032) over 'wardround-envelope-v1', a zero "
    "byte, and the same JSON without its 'signature'. The coordinator's key is below, those of the members are in the "
    "list of members. A claim in an outcome is the update.json of that member."
)


class EquivocationError(RefusedError):
    """The coordinator has shown two different things for one, or counts what nobody signed; evidence is on disk."""

    code = EQUIVOCATION


def accuse(seat: Seat, code: str, what: str, exhibits: Mapping[str, bytes]) -> NoReturn:
    """Writes the evidence, whole or not at all, and raises EquivocationError. `exhibits`: file name → bytes."""
    files = _kept(seat) | dict(exhibits)
    told = {
        "code": code,
        "what": what,
        "federation": seat.channel.federation,
        "run": seat.channel.run,
        "site": seat.site,
        "coordinator_key": seat.coordinator.key.text,
        "found": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())},
        "how_to_check": _HOW,
    }
    part = _folder(seat).with_name("evidence.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    for name, data in files.items():
        _write(part / name, data)
    _write(part / "what.json", (json.dumps(told, indent=2, sort_keys=True) + "\n").encode())
    part.rename(_folder(seat))
    _raise(seat, told)


def refuse_if_accused(seat: Seat) -> None:
    """Raises EquivocationError while there is evidence against the coordinator of this run."""
    path = _folder(seat) / "what.json"
    if path.exists():
        _raise(seat, json.loads(path.read_text("utf-8")))


def is_accused(work: Path) -> bool:
    """Whether there is evidence in the folder of a run."""
    return (work / "evidence" / "what.json").exists()


def _raise(seat: Seat, told: Mapping[str, Any]) -> NoReturn:
    raise EquivocationError(
        f"{told['what']}. This site takes no more part in run {seat.channel.run!r}; the evidence is in "
        f"{_folder(seat)}: look at what.json there and tell the other hospitals, by telephone, not the coordinator "
        "alone. To take part again in spite of it, move the folder away, and what this site remembers: seen.sha256 "
        f"beside it and in {seat.federation_work}",
        code=str(told["code"]),
    )


def _folder(seat: Seat) -> Path:
    return seat.work / "evidence"


def _kept(seat: Seat) -> dict[str, bytes]:
    return {f"seen-{key.replace('/', '_')}": data for key, data in seat.memory.kept().items()}


def _write(path: Path, data: bytes) -> None:
    with no_space_named(str(path)), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
