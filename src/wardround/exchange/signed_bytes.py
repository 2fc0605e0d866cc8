"""What the signature of an envelope covers, found without reading the envelope.

In the canonical form the keys are sorted, so whatever is signed, the bytes end with

    ,"signature":"<88 of base64>","signer":"<name>","tensors":{…},"version":1}

and the signature covers all bytes but `,"signature":"…"`, after a prefix. So who signed, and whether that is true, is
known from the end of the bytes and one hash, before any of the content is parsed: bytes that nobody signed cost one copy
of themselves, whatever they hold.
"""

import base64
import re
from dataclasses import dataclass, field

PREFIX = b"wardround-envelope-v1\0"
MOST_FILES = 256

# 64 bytes are 86 digits, of which the last has two bits, and the other four are zero (RFC 4648, section 3.5).
BASE64 = r"[A-Za-z0-9+/]{85}[AQgw]=="
_TENSOR = rb'"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}":\{"sha256":"[0-9a-f]{64}","size":[0-9]{1,19}\}'
_END = re.compile(
    rb',"signature":"(?P<signature>' + BASE64.encode() + rb')"'
    rb'(?P<rest>,"signer":"(?P<signer>[a-z0-9-]{1,63})"'
    rb',"tensors":\{(?:' + _TENSOR + rb"(?:," + _TENSOR + rb")*)?\}"
    rb',"version":1\})\Z'
)
_BEGIN = b'{"binding":{'
_MARK = b',"signature":"'
_LONGEST_END = 512 + MOST_FILES * 256


@dataclass(frozen=True)
class SignedBytes:
    """The `signature` (64 bytes) by which `signer` is said to have signed `message`."""

    signer: str
    signature: bytes
    message: bytes = field(repr=False)


def signed_bytes(data: bytes) -> SignedBytes | None:
    """What is signed in these bytes, and by whom as they say; None for bytes that do not end as an envelope does."""
    # The last one: no name of a signer or file can hold the mark.
    at = data.rfind(_MARK, max(0, len(data) - _LONGEST_END))
    found = _END.match(data, at) if at >= 0 and data.startswith(_BEGIN) else None
    if found is None:
        return None
    return SignedBytes(
        signer=found["signer"].decode("ascii"),
        signature=base64.b64decode(found["signature"]),
        message=b"".join((PREFIX, memoryview(data)[:at], found["rest"])),
    )
