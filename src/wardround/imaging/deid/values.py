"""Values as bytes: dummies for action D, and whether a value may stay under action K.

All bytes are little endian; several values are separated by a backslash (PS3.5 6.4).
"""

import re

from wardround.imaging.deid.policy import ARRAYS, NUMBER_STRINGS, NUMBERS, TEXTS

DUMMY_TEXT = b"REMOVED"
_DUMMIES = {
    "AS": b"000Y",
    "DA": b"19000101",
    "TM": b"000000",
    "DT": b"19000101000000",
    "DS": b"0",
    "IS": b"0",
    "UR": b"urn:removed",
}
_NUMBER = re.compile(rb"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")
_CODE = re.compile(rb"[A-Z0-9 _]{0,16}")
_AGE = re.compile(rb"\d{3}[DWMY]")
# PS3.5 table 6.2-1 allows 16 and 12; scanners write more digits, an identifier would not fit a number's form.
_MAX_NUMBER = 24
_MAX_TECHNICAL = 64
_LONG_NUMBER = re.compile(rb"\d{6}")
_PRINTABLE = re.compile(rb"[\x20-\x7e]*")


def dummy(vr: str) -> bytes:
    """A value of non-zero length that is legal for a VR and says nothing (not for UI and SQ)."""
    if vr in NUMBERS:
        return b"\0" * NUMBERS[vr]
    if vr in _DUMMIES:
        return _DUMMIES[vr]
    return DUMMY_TEXT if vr in TEXTS or vr in ("CS", "AE", "PN") else b"\0" * 8


def stripped(value: bytes) -> bytes:
    """The value without padding."""
    return value.strip(b" \0")


def padded(vr: str, value: bytes) -> bytes:
    """The value with even length, filled up as its VR wants it (PS3.5 6.2)."""
    if len(value) % 2 == 0:
        return value
    return value + (b"\0" if vr in ("UI", "OB", "UN") else b" ")


def checked(vr: str, value: bytes) -> bytes | None:
    """What may stay of a value that an action keeps, or None if nothing may.

    Numbers must be numbers. Each component of a coded string must have legal form and no long number, or a dummy
    takes its place. Text must be short printable ASCII without long numbers.
    """
    if vr in NUMBERS:
        return value if len(value) % NUMBERS[vr] == 0 else None
    if vr in ARRAYS:
        return value if len(value) % ARRAYS[vr] == 0 else None
    if vr == "CS":
        return b"\\".join(part if _is_code(part) else DUMMY_TEXT for part in _parts(value))
    if vr in NUMBER_STRINGS:
        return value if all(_is_number(part) for part in _parts(value)) else None
    if vr == "AS":
        return value if _AGE.fullmatch(value) else None
    if vr in TEXTS:
        legal = (
            len(value) <= _MAX_TECHNICAL and _PRINTABLE.fullmatch(value) and not _LONG_NUMBER.search(value)
        )
        return value if legal else None
    return value


def _parts(value: bytes) -> list[bytes]:
    return value.split(b"\\")


def _is_code(part: bytes) -> bool:
    return _CODE.fullmatch(part.strip()) is not None and not _LONG_NUMBER.search(part)


def _is_number(part: bytes) -> bool:
    part = part.strip()
    return not part or (len(part) <= _MAX_NUMBER and _NUMBER.fullmatch(part) is not None)
