"""Signed JSON: who says what, about which round of which run, and which tensor files belong to it.

An envelope is one JSON object, in its only legal spelling (`canonical`):

    {"binding": {"federation", "plan_digest", "round", "run"}, "kind", "payload", "signature", "signer",
     "tensors": {FILE: {"sha256", "size"}}, "version": 1}

The signature is Ed25519 (RFC 8032) over the bytes `wardround-envelope-v1`, a zero byte, and `canonical` of
the object without `signature`. The prefix keeps a signature made for an envelope from being used for
anything else that the same key may ever sign. It is checked before anything is parsed (`signed_bytes`).
"""

import base64
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wardround.errors import ConfigurationError, RefusedError
from wardround.exchange.curve import is_public_key
from wardround.exchange.signed_bytes import BASE64, MOST_FILES, PREFIX, SignedBytes, signed_bytes

_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\z")]
_File = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\z")]
_Signature = Annotated[str, Field(pattern=rf"^{BASE64}\z")]

# What a few bytes can become in memory is not for their author to choose: `[]` takes 64, a short text 60, a number 40.
_MOST_TEXTS_AND_LISTS = 1 << 18
_MOST_NUMBERS = 1 << 21

M = TypeVar("M", bound=BaseModel)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class TensorFile(_Frozen):
    """A tensor file that an envelope commits: its SHA-256 (hexadecimal) and its size in bytes."""

    sha256: _Digest
    size: Annotated[int, Field(ge=0)]


class Binding(_Frozen):
    """What an envelope is about. A part that does not apply is None, and must then be None for the reader."""

    federation: _Name
    run: _Name | None = None
    round: Annotated[int, Field(ge=0, le=999_999)] | None = None
    plan_digest: _Digest | None = None


class _Document(_Frozen):
    version: Annotated[int, Field(ge=1, le=1)]  # not Literal[1], which takes True and 1.0 for it
    kind: _Name
    signer: _Name
    binding: Binding
    tensors: Annotated[dict[_File, TensorFile], Field(max_length=MOST_FILES)]
    payload: dict[str, Any]
    signature: _Signature


@dataclass(frozen=True)
class Envelope:
    """An envelope that was opened: its signature, kind and binding are the expected ones.

    `digest` is the SHA-256 (hexadecimal) of its bytes, by which other envelopes may refer to it.
    """

    kind: str
    signer: str
    binding: Binding
    tensors: Mapping[str, TensorFile]
    payload: Mapping[str, Any]
    digest: str

    def read(self, model: type[M]) -> M:
        """The payload as a `model`; fields that it does not have are refused. RefusedError (`malformed`)."""
        try:
            return model.model_validate_json(canonical(self.payload), strict=True, extra="forbid")
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "payload"
            raise RefusedError(
                f"payload of {self.kind!r} from {self.signer!r} is not a {model.__name__}: {where[:80]!r}: "
                f"{first['type']}",
                code="malformed",
            ) from None

    def tensor(self, file: str) -> TensorFile:
        """The tensor file of this name. Raises RefusedError (`malformed`) if the envelope has none."""
        if file not in self.tensors:
            _malformed(f"{self.kind!r} from {self.signer!r} commits no file {file!r}")
        return self.tensors[file]


@dataclass(frozen=True)
class PublicKey:
    """An Ed25519 public key; `text` is its 32 bytes as 64 hexadecimal digits.

    Raises RefusedError: `malformed` for any other text, `weak-key` for bytes that no key has (`curve`).
    """

    text: str

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.text):
            _malformed("a public key is not 64 of 0-9 and a-f")
        if not is_public_key(bytes.fromhex(self.text)):
            raise RefusedError(
                f"{self.text} is not an Ed25519 public key: no key that was made as the standard says has these digits, "
                "and signatures that they accept prove nothing; ask its owner again",
                code="weak-key",
            )

    def accepts(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` (64 bytes) is this key's over `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.text)).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class SigningKey:
    """An Ed25519 private key; it never shows itself."""

    _key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> "SigningKey":
        """A new key from the system's random numbers."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> "SigningKey":
        """The key in a PEM file (PKCS #8, not encrypted). Raises ConfigurationError."""
        try:
            pem = path.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"signing key {str(path)!r} cannot be read ({error.strerror}); "
                "create one, or correct the path"
            ) from error
        return cls.from_pem(pem, repr(str(path)))

    @classmethod
    def from_pem(cls, pem: bytes, where: str) -> "SigningKey":
        """The key in PEM (PKCS #8, not encrypted), which lies at `where`. Raises ConfigurationError."""
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigurationError(
                f"{where} is not an unencrypted Ed25519 private key in PEM (PKCS #8); create one"
            )
        return cls(key)

    def pem(self) -> bytes:
        """The private key, as `from_pem` reads it: to be stored where only its owner can read."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def save(self, path: Path) -> None:
        """Writes the key to a new file that only its owner can read. Raises ConfigurationError."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError as error:
            raise ConfigurationError(
                f"{str(path)!r} exists; a signing key is never overwritten, remove it first"
            ) from error
        with os.fdopen(descriptor, "wb") as file:
            file.write(self.pem())
            file.flush()
            os.fsync(descriptor)

    @property
    def public(self) -> PublicKey:
        """The key that others check signatures with."""
        return PublicKey(self._key.public_key().public_bytes_raw().hex())

    def sign(self, message: bytes) -> bytes:
        """The signature, 64 bytes."""
        return self._key.sign(message)


def canonical(value: Any) -> bytes:
    """The only legal spelling of a JSON value: UTF-8, sorted keys, no spaces, shortest floats.

    Close to RFC 8785, but keys are sorted by code point (not by UTF-16 unit) and numbers are written as
    Python does (`1.0`, `1e-07`). Raises ValueError for NaN, infinities and lone surrogates, TypeError for
    what is no JSON.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def seal(
    kind: str,
    payload: BaseModel | Mapping[str, Any],
    *,
    binding: Binding,
    key: SigningKey,
    signer: str,
    tensors: Mapping[str, TensorFile] | None = None,
) -> bytes:
    """The signed bytes of an envelope, the same for the same arguments.

    `payload` is a model or a JSON object; `tensors` are the files it commits, by their last name.
    Raises ConfigurationError (`illegal-envelope`) when `open_envelope` would not read it back.
    """
    content = payload.model_dump(mode="json") if isinstance(payload, BaseModel) else dict(payload)
    files = {name: file.model_dump() for name, file in (tensors or {}).items()}
    body = {
        "version": 1,
        "kind": kind,
        "signer": signer,
        "binding": binding.model_dump(),
        "tensors": files,
        "payload": content,
    }
    try:
        signature = base64.b64encode(key.sign(PREFIX + canonical(body))).decode("ascii")
        data = canonical(body | {"signature": signature})
        _outside(data)
        _parse(data)
    except (ValueError, TypeError, RecursionError, RefusedError) as error:
        raise ConfigurationError(
            f"{kind!r} cannot be sealed ({type(error).__name__}); names, files and payload must be legal JSON",
            code="illegal-envelope",
        ) from error
    return data


def open_envelope(
    data: bytes, *, kind: str, binding: Binding, signer: str, public_key: PublicKey | None
) -> Envelope:
    """The content of an envelope from `signer`, after every check.

    `public_key` is the signer's, None if the reader knows of none. Raises RefusedError with one of the codes
    `malformed`, `unknown-signer`, `forged-signature`, `wrong-kind`, `foreign-federation`, `foreign-run`,
    `replayed-round`, `wrong-digest`; no other exception, whatever `data` is.
    """
    outside = _outside(data)
    if public_key is None or outside.signer != signer:
        raise RefusedError(
            f"{kind!r} is signed by {outside.signer!r}; expected {signer!r}, with a key that is a member's",
            code="unknown-signer",
        )
    if not public_key.accepts(outside.signature, outside.message):
        raise RefusedError(
            f"signature of {kind!r} is not made with the key of {signer!r}, or the content was changed",
            code="forged-signature",
        )
    document = _parse(data)
    _check_meaning(document, kind, binding)
    return Envelope(
        kind=kind,
        signer=signer,
        binding=binding,
        tensors=document.tensors,
        payload=document.payload,
        digest=hashlib.sha256(data).hexdigest(),
    )


def _check_meaning(document: _Document, kind: str, binding: Binding) -> None:
    found = document.binding
    checks = (
        ("kind", document.kind, kind, "wrong-kind"),
        ("federation", found.federation, binding.federation, "foreign-federation"),
        ("run", found.run, binding.run, "foreign-run"),
        ("round", found.round, binding.round, "replayed-round"),
        ("plan digest", found.plan_digest, binding.plan_digest, "wrong-digest"),
    )
    for what, received, expected, code in checks:
        if received != expected:
            raise RefusedError(
                f"{kind!r} from {document.signer!r} has {what} {received!r}; expected {expected!r}", code=code
            )


def _outside(data: bytes) -> SignedBytes:
    """Signer, signature and what it covers, with nothing parsed. RefusedError (`malformed`)."""
    found = signed_bytes(data)
    if found is None:
        _malformed("the bytes do not begin and end as an envelope does")
    return found


def _parse(data: bytes) -> _Document:
    """The checked document. RefusedError (`malformed`)."""
    _check_weight(data)
    try:
        content = json.loads(data.decode("utf-8"), parse_constant=_no_constant)
        exact = canonical(content) == data  # also excludes duplicate keys, spaces and other spellings
        document = _Document.model_validate(content) if exact else None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        _malformed(f"envelope field {where[:80]!r}: {first['type']}")
    except (ValueError, RecursionError) as error:
        _malformed(f"an envelope is not JSON ({type(error).__name__})")
    if document is None:
        _malformed("an envelope is not spelled canonically (sorted keys, no spaces, no key twice)")
    return document


def _check_weight(data: bytes) -> None:
    heavy = data.count(b"[") + data.count(b"{") + data.count(b'"') // 2
    if heavy > _MOST_TEXTS_AND_LISTS or data.count(b",") > _MOST_NUMBERS:
        _malformed(f"an envelope has {heavy} lists, objects and texts, or too many numbers")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _malformed(message: str) -> NoReturn:
    raise RefusedError(message, code="malformed")
