"""ICC profiles without their texts: the numbers that give colours their meaning stay, what names a device goes.

PS3.15 table E.1-1 does not list ICC Profile, and PS3.3 demands one of slide microscopy and of colour presentation
states. But a profile holds free texts, its maker's and device's marks and a date (ISO 15076-1 section 7). So it is
built anew, of the tags whose types are numbers.
"""

from functools import cache
from io import BytesIO
from struct import error as StructError
from struct import pack, unpack_from

from PIL import ImageCms

_HEADER, _ENTRY = 128, 12
_SIGNATURE = b"acsp"
_MAX_TAGS = 100
# ISO 15076-1 section 10, types of numbers alone: the bytes before the numbers, and of each number.
_NUMBERS = {b"XYZ ": (8, 12), b"sf32": (8, 4), b"chrm": (12, 8)}
_PARAMETERS = (1, 3, 4, 5, 7)
# Their inner parts are found by offsets, so their end is where the tag table says.
_STAGES = (b"mAB ", b"mBA ")
_WORDS = "REMOVED"
# A date must be one: the first of January 2000.
_DATE = pack(">6H", 2000, 1, 1, 0, 0, 0)


def without_texts(profile: bytes) -> bytes:
    """The profile with its colour and no text; one that cannot be read becomes sRGB."""
    try:
        return _rebuilt(profile)
    except (ValueError, StructError):
        return _standard()


@cache
def _standard() -> bytes:
    stream = BytesIO(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    return _rebuilt(stream.getvalue())


def _rebuilt(profile: bytes) -> bytes:
    if profile[36:40] != _SIGNATURE:
        raise ValueError("no profile")
    (count,) = unpack_from(">I", profile, _HEADER)
    if not 0 < count <= _MAX_TAGS:
        raise ValueError("no tags")
    tags = [(b"desc", _text(profile, b"desc")), (b"cprt", _text(profile, b"text"))]
    for at in range(count):
        name, start, size = unpack_from(">4sII", profile, _HEADER + 4 + at * _ENTRY)
        if (numbers := _numbers(profile[start : start + size])) is not None:
            tags.append((name, numbers))
    if len(tags) == 2:
        raise ValueError("no colour")
    return _assembled(profile, tags)


def _assembled(profile: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    table, body, at = pack(">I", len(tags)), b"", dict[bytes, int]()
    start = _HEADER + 4 + _ENTRY * len(tags)
    for name, content in tags:
        # Red, green and blue often share one curve.
        if content not in at:
            at[content] = start + len(body)
            body += content + bytes(-len(content) % 4)
        table += name + pack(">II", at[content], len(content))
    # Version, class, colour space and connection space; intent and illuminant; nothing else.
    head = bytes(4) + profile[8:24] + _DATE + _SIGNATURE + bytes(24) + profile[64:80] + bytes(48)
    return pack(">I", start + len(body)) + head + table + body


def _numbers(content: bytes) -> bytes | None:
    """A tag's content up to its last number, or None if its type is none of numbers."""
    kind = content[:4]
    if kind in _STAGES:
        return content
    length = _length(kind, content)
    return None if length is None or length > len(content) else kind + bytes(4) + content[8:length]


def _length(kind: bytes, content: bytes) -> int | None:
    if kind in _NUMBERS:
        head, each = _NUMBERS[kind]
        return head + (len(content) - head) // each * each
    if kind == b"curv":
        return 12 + 2 * int(unpack_from(">I", content, 8)[0])
    if kind == b"para":
        function = int(unpack_from(">H", content, 8)[0])
        return 12 + 4 * _PARAMETERS[function] if function < len(_PARAMETERS) else None
    if kind in (b"mft1", b"mft2"):
        inputs, outputs, points = (int(part) for part in unpack_from(">3B", content, 8))
        grid = int(points ** min(inputs, 16)) * outputs
        if kind == b"mft1":
            return 48 + 256 * (inputs + outputs) + grid
        before, after = (int(part) for part in unpack_from(">2H", content, 48))
        return 52 + 2 * (before * inputs + grid + after * outputs)
    return None


def _text(profile: bytes, kind: bytes) -> bytes:
    """The text type of a profile's version: version 4 has one for all, version 2 two."""
    if profile[8] >= 4:
        wide = _WORDS.encode("utf-16-be")
        return b"mluc" + bytes(4) + pack(">II", 1, 12) + b"enUS" + pack(">II", len(wide), 28) + wide
    plain = _WORDS.encode() + b"\0"
    if kind == b"text":
        return b"text" + bytes(4) + plain
    # textDescriptionType of version 2: neither Unicode nor Macintosh text.
    return b"desc" + bytes(4) + pack(">I", len(plain)) + plain + bytes(8) + bytes(3 + 67)
