"""Messages in buckets: sealed when written, checked when read.

    Channel (who I am, which run) ── write ─→ <key>.json  ── read, as said by a Peer ─→ Record
                                  ── publish tensors ─→ <stem>-<sha256>.safetensors, then the message

A message's key follows from its kind and round. A tensor file's name holds the start of its own SHA-256, so
a step that is repeated after a crash and yields other bytes writes beside the first, not over it
(docs/decisions/0002-content-addressed-tensors.md).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from wardround.errors import ConfigurationError, RefusedError
from wardround.exchange.envelope import Binding, PublicKey, SigningKey, TensorFile, open_envelope, seal
from wardround.exchange.layout import FEDERATION_KEY, RunKeys
from wardround.exchange.messages import Message
from wardround.exchange.store import Readable, Store, put_idempotent, upload_idempotent

if TYPE_CHECKING:
    # Whoever reads messages only needs no NumPy: there are images without it.
    from wardround.exchange.tensors import Array, TensorSpec

M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Peer:
    """Somebody whose messages are read: the name, and the key that the reader trusts."""

    name: str
    key: PublicKey


@dataclass(frozen=True)
class Record(Generic[M]):
    """A message that was read and checked, the tensor files that it commits, and its bytes as they were read."""

    message: M
    tensors: Mapping[str, TensorFile]
    data: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """The SHA-256 (hexadecimal) of the bytes, by which others refer to it."""
        return hashlib.sha256(self.data).hexdigest()

    def file(self, stem: str) -> tuple[str, TensorFile]:
        """The one tensor file, which must be called `<stem>-<start of its SHA-256>.safetensors`.

        Raises RefusedError: `malformed` for another number of files, `illegal-name` for another name.
        """
        if len(self.tensors) != 1:
            raise RefusedError(
                f"{self.message.kind!r} commits {len(self.tensors)} tensor files; legal: 1", code="malformed"
            )
        ((name, file),) = self.tensors.items()
        if name != tensor_name(stem, file):
            raise RefusedError(
                f"{self.message.kind!r} commits a file {name[:80]!r}; legal: {tensor_name(stem, file)!r}",
                code="illegal-name",
            )
        return name, file


@dataclass(frozen=True)
class Channel:
    """One party in one run: it signs what it writes, and checks what it reads."""

    federation: str
    run: str
    me: str
    key: SigningKey
    digest: str | None = None

    @property
    def keys(self) -> RunKeys:
        """The keys of the run."""
        return RunKeys(self.run)

    @property
    def author(self) -> Peer:
        """Myself, as the author of what I find after a restart."""
        return Peer(self.me, self.key.public)

    def write(
        self,
        store: Store,
        message: Message,
        *,
        round: int | None = None,
        tensors: Mapping[str, TensorFile] | None = None,
    ) -> str:
        """Publishes a message and returns the SHA-256 (hexadecimal) of its bytes; finding the same one there is fine.

        Raises ConflictError for another.
        """
        data = self.seal(message, round, tensors)
        put_idempotent(store, self.where(type(message), round), data)
        return hashlib.sha256(data).hexdigest()

    def seal(
        self, message: Message, round: int | None = None, tensors: Mapping[str, TensorFile] | None = None
    ) -> bytes:
        """The signed bytes of a message. Raises ConfigurationError (`illegal-envelope`) for what nobody would read."""
        binding = self._binding(type(message), round)
        data = seal(message.kind, message, binding=binding, key=self.key, signer=self.me, tensors=tensors)
        if len(data) > message.limit:
            raise ConfigurationError(
                f"{message.kind!r} has {len(data)} bytes, and nobody reads more than {message.limit} of one",
                code="illegal-envelope",
            )
        return data

    def read(self, store: Readable, model: type[M], peer: Peer, *, round: int | None = None) -> Record[M]:
        """The message of this kind in `store`, as said by `peer`.

        Raises MissingError; RefusedError with the codes of `open_envelope`, or `oversized`.
        """
        return self.open(store.get(self.where(model, round), limit=model.limit), model, peer, round)

    def open(self, data: bytes, model: type[M], peer: Peer, round: int | None = None) -> Record[M]:
        """The message in these bytes. Raises RefusedError."""
        binding = self._binding(model, round)
        envelope = open_envelope(
            data, kind=model.kind, binding=binding, signer=peer.name, public_key=peer.key
        )
        return Record(envelope.read(model), envelope.tensors, data)

    def where(self, model: type[Message], round: int | None = None) -> str:
        """The key of a message."""
        if model.kind == "federation":
            return FEDERATION_KEY
        name = f"{model.kind}.json"
        return self.keys.file(name) if round is None else self.keys.round_file(round, name)

    def _binding(self, model: type[Message], round: int | None) -> Binding:
        # The first two messages are how a reader learns of the run and its plan.
        run = None if model.kind == "federation" else self.run
        digest = None if model.kind in ("federation", "run") else self.digest
        return Binding(federation=self.federation, run=run, round=round, plan_digest=digest)


class Shaped(Protocol):
    """Anything that says a tensor's shape and NumPy dtype, as the plan's specs do."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its dimensions."""

    @property
    def dtype(self) -> str:
        """Its NumPy dtype."""


def file_spec(spec: Mapping[str, Shaped]) -> dict[str, "TensorSpec"]:
    """The plan's specs, by name, as those of a tensor file."""
    from wardround.exchange.tensors import TensorSpec

    return {name: TensorSpec(tuple(tensor.shape), tensor.dtype) for name, tensor in spec.items()}


def tensor_name(stem: str, file: TensorFile) -> str:
    """`<stem>-<first 16 digits of the SHA-256>.safetensors`."""
    return f"{stem}-{file.sha256[:16]}.safetensors"


def save_tensors(folder: Path, stem: str, tensors: Mapping[str, "Array"]) -> tuple[Path, TensorFile]:
    """Writes tensors to a file in `folder` under its content-addressed name. Raises NoSpaceError."""
    from wardround.exchange.tensors import write_tensors

    draft = folder / f"{stem}.safetensors"
    file = write_tensors(draft, tensors)
    return draft.replace(folder / tensor_name(stem, file)), file


def publish_tensors(
    store: Store, prefix: str, folder: Path, stem: str, tensors: Mapping[str, Any]
) -> dict[str, TensorFile]:
    """Saves and uploads tensors under `prefix` (with its slash); returns what an envelope commits."""
    path, file = save_tensors(folder, stem, tensors)
    upload_idempotent(store, prefix + path.name, path)
    path.unlink()
    return {path.name: file}
