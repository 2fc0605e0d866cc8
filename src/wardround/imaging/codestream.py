"""What a compressed frame says about its own size, read without decoding it."""

from wardround.imaging.reasons import Reason, Refusal

# Start-of-frame markers of ISO/IEC 10918-1 table B.1, and SOF55 of JPEG-LS (ISO/IEC 14495-1).
_SOF = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def check_codestream(frame: bytes, rows: int, columns: int) -> None:
    """Raises Refusal if a JPEG, JPEG-LS or JPEG 2000 codestream has another size than the header says.

    A decoder allocates what the codestream claims, so a small header must not hide a large image.
    Frames of other kinds pass.
    """
    size = codestream_size(frame)
    if size is not None and size != (rows, columns):
        raise Refusal(Reason.CODESTREAM)


def codestream_size(frame: bytes) -> tuple[int, int] | None:
    """(rows, columns) of a codestream, or None if it is of no known kind or ends early."""
    if frame[:4] == b"\xff\x4f\xff\x51" and len(frame) >= 24:
        return _jpeg2000_size(frame)
    if frame[:2] == b"\xff\xd8":
        return _jpeg_size(frame)
    return None


def _jpeg2000_size(frame: bytes) -> tuple[int, int]:
    # ISO/IEC 15444-1 A.5.1: SIZ holds Xsiz, Ysiz, XOsiz, YOsiz as 32-bit numbers after Lsiz and Rsiz.
    width, height, left, top = (int.from_bytes(frame[at : at + 4]) for at in (8, 12, 16, 20))
    return height - top, width - left


def _jpeg_size(frame: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker in _SOF:
            return int.from_bytes(frame[at + 5 : at + 7]), int.from_bytes(frame[at + 7 : at + 9])
        if marker == 0xFF:
            at += 1
        elif marker in _STANDALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(frame[at + 2 : at + 4])
    return None
