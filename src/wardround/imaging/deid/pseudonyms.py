"""Stand-ins made with the site's key: the same input gives the same stand-in, and without the key nothing follows.

All are HMAC-SHA-256 (RFC 2104) of a value within a domain, cut to 128 bits for UIDs and 80 for patients.
"""

import base64
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from wardround.errors import ConfigurationError
from wardround.limited import FileError, read_limited

KEY_BYTES = 32
_MIN_KEY_BYTES, _MAX_KEY_BYTES = 16, 1 << 16


@dataclass(frozen=True)
class Pseudonyms:
    """The site's key at work."""

    key: bytes = field(repr=False)

    def uid(self, uid: str) -> str:
        """A UID in the UUID branch (PS3.5 B.2): `2.25.` and 128 keyed bits in decimal, 44 characters at most."""
        return f"2.25.{int.from_bytes(self._code('uid', uid)[:16])}"

    def patient(self, patient: str) -> str:
        """The name of a patient, `WR` and 16 letters and digits."""
        return "WR" + base64.b32encode(self._code("patient", patient)[:10]).decode()

    def days(self, patient: str, most: int) -> int:
        """How many whole days a patient's dates move into the past: 1 to `most`."""
        return 1 + int.from_bytes(self._code("days", patient)[:8]) % most

    def name(self, domain: str, value: str) -> str:
        """24 hex digits that stand for a value of another kind, such as a file's name."""
        return self._code(domain, value).hex()[:24]

    def mark(self, parts: list[bytes]) -> bytes:
        """32 bytes that only the key's holder can make for this content."""
        code = self._start.copy()
        code.update(b"mark/")
        for part in parts:
            code.update(part)
        return code.digest()

    def _code(self, domain: str, value: str) -> bytes:
        code = self._start.copy()
        code.update(f"{domain}/{value}".encode("utf-8", "surrogateescape"))
        return code.digest()

    @cached_property
    def _start(self) -> hmac.HMAC:
        # Copying is half the price of setting up a key.
        return hmac.new(self.key, b"wardround/deid/", hashlib.sha256)


def read_key(path: Path) -> bytes:
    """The secret bytes. Raises ConfigurationError if the file is absent, too short, or open to other users."""
    try:
        key, mode = read_limited(path, _MAX_KEY_BYTES, "key"), path.stat().st_mode
    except (FileError, OSError) as error:
        raise ConfigurationError(f"key {str(path)!r} cannot be read; make one with --new-key") from error
    if len(key) < _MIN_KEY_BYTES:
        raise ConfigurationError(f"key {str(path)!r} has {len(key)} bytes; legal: {_MIN_KEY_BYTES} or more")
    if mode & 0o007:
        raise ConfigurationError(
            f"key {str(path)!r} can be read by every user of this machine; correct it with: chmod o= {path}"
        )
    return key


def make_key(path: Path) -> None:
    """Writes 32 secret bytes into a new file that only its owner can read. Raises ConfigurationError if it exists."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigurationError(f"key {str(path)!r} cannot be made ({error.strerror})") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
