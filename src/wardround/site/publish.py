"""Keeping a finished update on disk until it is sent, and sending it: the file first, then `update.json`.

    work/round-000001/update-<sha256>.safetensors    written first
    work/round-000001/update.json                    the sealed message, exactly as it will be sent

A site that is killed in between sends what it finds here, and does not train again.
"""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from wardround.errors import RefusedError
from wardround.exchange.envelope import TensorFile
from wardround.exchange.files import whole_file
from wardround.exchange.messages import Seen, UpdateMessage
from wardround.exchange.records import save_tensors
from wardround.exchange.store import put_idempotent, upload_idempotent
from wardround.plan.process import Tensors
from wardround.site.context import Seat
from wardround.site.invitation import Invitation

_MESSAGE = "update.json"


@dataclass(frozen=True)
class Finished:
    """A finished update on disk: the sealed message, and the tensor file that it commits."""

    message: bytes
    tensors: Path

    @property
    def digest(self) -> str:
        """The SHA-256 of the message."""
        return hashlib.sha256(self.message).hexdigest()


def is_published(seat: Seat, number: int) -> bool:
    """Whether the site's update of a round is in its bucket."""
    return seat.own.exists(seat.channel.where(UpdateMessage, number))


def keep(seat: Seat, invitation: Invitation, seen: Seen, update: Tensors) -> Finished:
    """Writes an update to disk. Updates of other rounds are removed. Raises NoSpaceError."""
    folder = _folder(seat, invitation.number)
    forget(seat)
    folder.mkdir()
    path, file = save_tensors(folder, "update", update)
    message = UpdateMessage(site=seat.site, broadcast=invitation.file.sha256, seen=seen)
    sealed = seat.channel.seal(message, invitation.number, {path.name: file})
    with whole_file(folder / _MESSAGE) as out:
        out.write(sealed)
    return Finished(sealed, path)


def find_finished(seat: Seat, invitation: Invitation, seen: Seen) -> Finished | None:
    """The update of this round that an earlier process finished, if it is whole and answers what was seen."""
    folder = _folder(seat, invitation.number)
    if not (folder / _MESSAGE).exists():
        return None
    sealed = (folder / _MESSAGE).read_bytes()
    try:
        record = seat.channel.open(sealed, UpdateMessage, seat.channel.author, invitation.number)
        name, file = record.file("update")
    except RefusedError:
        return None  # a damaged disk, or another key: train again
    expected = UpdateMessage(site=seat.site, broadcast=invitation.file.sha256, seen=seen)
    fits = record.message == expected and _is_whole(folder / name, file)
    return Finished(sealed, folder / name) if fits else None


def publish(seat: Seat, number: int, finished: Finished) -> None:
    """Sends an update; sending it again is fine. Raises ConflictError if another one was sent."""
    keys = seat.channel.keys
    upload_idempotent(seat.own, keys.round_file(number, finished.tensors.name), finished.tensors)
    put_idempotent(seat.own, seat.channel.where(UpdateMessage, number), finished.message)


def forget(seat: Seat) -> None:
    """Removes every update from disk."""
    for folder in seat.work.glob("round-*"):
        shutil.rmtree(folder)


def _folder(seat: Seat, number: int) -> Path:
    return seat.work / f"round-{number:06d}"


def _is_whole(path: Path, file: TensorFile) -> bool:
    if not path.exists():
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
