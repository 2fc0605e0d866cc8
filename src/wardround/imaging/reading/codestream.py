"""What a compressed frame says about itself, read without decoding it.

A decoder allocates what the codestream claims, so a small header must not hide a large image.
"""

from typing import NamedTuple

from wardround.imaging.reading.claims import Claims
from wardround.imaging.reasons import Reason, Refusal

# Start-of-frame markers of ISO/IEC 10918-1 table B.1, and SOF55 of JPEG-LS (ISO/IEC 14495-1).
_SOF = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = frozenset({0xC0, 0xC1})
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_SCAN = 0xDA
_SIZ = b"\xff\x4f\xff\x51"
# One run-length byte pair becomes at most 128 bytes (PS3.5 annex G.3.1).
_RUN = 64
_RLE_HEADER = 64


class Frame(NamedTuple):
    """Rows, columns and components of a codestream."""

    rows: int
    columns: int
    components: int


def check_codestream(frame: bytes, claims: Claims) -> None:
    """Raises Refusal if a JPEG, JPEG-LS or JPEG 2000 codestream is not what the header says, or cannot be right.

    Frames of other kinds pass.
    """
    size = codestream_size(frame)
    if size is not None and size != (claims.rows, claims.columns, claims.samples):
        raise Refusal(Reason.CODESTREAM)


def check_runs(frame: bytes, claims: Claims) -> None:
    """Raises Refusal if a run-length frame has not the header's segments, or may not fill or may overfill them."""
    if claims.bits % 8:
        raise Refusal(Reason.BIT_DEPTH)
    segments = claims.samples * claims.bits // 8
    if len(frame) < _RLE_HEADER or int.from_bytes(frame[:4], "little") != segments:
        raise Refusal(Reason.CODESTREAM)
    if not claims.frame_bytes <= _RUN * len(frame) or len(frame) > 2 * claims.frame_bytes + 1024:
        raise Refusal(Reason.CODESTREAM)


def codestream_size(frame: bytes) -> Frame | None:
    """The size of a codestream, or None if it is of no known kind or ends early.

    Raises Refusal for a sequential JPEG whose scan does not take all coefficients: no decoder may guess the rest.
    """
    if frame[4:8] == b"jP  ":
        frame = frame[max(0, frame.find(_SIZ)) :]
    if frame[:4] == _SIZ and len(frame) >= 42:
        return _jpeg2000_size(frame)
    if frame[:2] == b"\xff\xd8":
        return _jpeg_size(frame)
    return None


def _jpeg2000_size(frame: bytes) -> Frame:
    # ISO/IEC 15444-1 A.5.1: SIZ holds Xsiz, Ysiz, XOsiz, YOsiz as 32-bit numbers after Lsiz and Rsiz.
    width, height, left, top = (int.from_bytes(frame[at : at + 4]) for at in (8, 12, 16, 20))
    return Frame(height - top, width - left, int.from_bytes(frame[40:42]))


def _jpeg_size(frame: bytes) -> Frame | None:
    at, size, sequential = 2, None, False
    while at + 4 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker in _SOF and at + 10 <= len(frame):
            rows, columns = int.from_bytes(frame[at + 5 : at + 7]), int.from_bytes(frame[at + 7 : at + 9])
            size, sequential = Frame(rows, columns, frame[at + 9]), marker in _SEQUENTIAL
        if marker == _SCAN:
            if sequential:
                _check_scan(frame, at)
            return size
        at += _step(frame, at, marker)
    return size


def _step(frame: bytes, at: int, marker: int) -> int:
    if marker == 0xFF:
        return 1
    return 2 if marker in _STANDALONE else 2 + int.from_bytes(frame[at + 2 : at + 4])


def _check_scan(frame: bytes, at: int) -> None:
    # ISO/IEC 10918-1 table B.3: a sequential scan spans coefficients 0 to 63.
    spectral = at + 5 + 2 * frame[at + 4] if at + 4 < len(frame) else len(frame)
    if frame[spectral : spectral + 2] != b"\x00\x3f":
        raise Refusal(Reason.CODESTREAM)
