"""What a header says about its pixels, checked against limits before anything is decoded (PS3.3 C.7.6.3)."""

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID

from wardround.imaging.reasons import Reason, Refusal

CLAIM_TAGS = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "NumberOfFrames",
    "PhotometricInterpretation",
    "PlanarConfiguration",
)
MONOCHROME = frozenset({"MONOCHROME1", "MONOCHROME2"})
PALETTE = "PALETTE COLOR"
# Retired, with a luma from 16 to 235; only compressed frames of it are complete.
PARTIAL = frozenset({"YBR_PARTIAL_420", "YBR_PARTIAL_422"})
COLOUR = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}) | PARTIAL
# Without these nobody can say what the stored integers are (type 1 in PS3.3 table C.7-11c).
_NEEDED = ("SamplesPerPixel", "BitsStored", "PixelRepresentation")
_INTEGER_BITS = (1, 8, 16, 32, 64)
# Frames of one object; slides in tiles come near to it. Each costs time, however small it is.
MAX_FRAMES = 100_000


@dataclass(frozen=True)
class Claims:
    """The shape and kind of an object's pixels: `bits` are allocated, of which `stored` bits are used."""

    rows: int
    columns: int
    frames: int
    samples: int
    bits: int
    stored: int
    high_bit: int
    signed: bool
    photometric: str

    @property
    def frame_bytes(self) -> int:
        """Decoded size of one frame; packed bits become bytes."""
        return self.rows * self.columns * self.samples * max(8, self.bits) // 8

    @property
    def packed_bytes(self) -> int:
        """Size of all frames as stored without compression, without the byte that makes it even."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return (self.rows * self.columns * samples * self.bits * self.frames + 7) // 8

    @property
    def shift(self) -> int:
        """How far the used bits lie above the lowest one; 0 in all objects that follow the current standard."""
        return max(0, min(self.high_bit + 1, self.bits) - self.stored)

    @property
    def dtype(self) -> np.dtype:
        """The integer type of stored values."""
        return np.dtype(f"{'i' if self.signed and self.bits > 1 else 'u'}{max(8, self.bits) // 8}")


def read_claims(dataset: Dataset, max_bytes: int) -> Claims:
    """Reads the claims; one frame may take `max_bytes`. Raises Refusal, also for what no decoder here can do."""
    try:
        claims = _claims(dataset)
    except (TypeError, ValueError) as error:
        raise Refusal(Reason.DAMAGED_HEADER) from error
    if min(claims.rows, claims.columns, claims.bits) < 1:
        raise Refusal(Reason.NO_PIXELS)
    if claims.frames < 1:
        raise Refusal(Reason.DAMAGED_HEADER)
    if claims.frames > MAX_FRAMES:
        raise Refusal(Reason.TOO_MANY)
    if claims.samples != _samples_of(claims.photometric):
        raise Refusal(Reason.PHOTOMETRIC)
    if claims.bits not in _INTEGER_BITS or not 1 <= claims.stored <= claims.bits:
        raise Refusal(Reason.BIT_DEPTH)
    if claims.frame_bytes > max_bytes:
        raise Refusal(Reason.TOO_LARGE)
    return claims


def check_complete(dataset: Dataset) -> None:
    """Raises Refusal if integer pixels lack an element without which they mean nothing."""
    for keyword in _NEEDED:
        if keyword not in dataset or dataset[keyword].value is None:
            raise Refusal(Reason.DAMAGED_HEADER)
    if dataset.PixelRepresentation not in (0, 1):
        raise Refusal(Reason.DAMAGED_HEADER)


def check_claims(dataset: Dataset, max_bytes: int) -> int:
    """Checks what a header claims and returns the decoded size of a frame in bytes; raises Refusal."""
    return read_claims(dataset, max_bytes).frame_bytes


def syntax_of(dataset: Dataset) -> UID:
    """The transfer syntax; raises Refusal if the file does not name one."""
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if not syntax:
        raise Refusal(Reason.SYNTAX)
    return UID(str(syntax))


def _claims(dataset: Dataset) -> Claims:
    bits = _number(dataset, "BitsAllocated", 0)
    stored = _number(dataset, "BitsStored", bits)
    return Claims(
        rows=_number(dataset, "Rows", 0),
        columns=_number(dataset, "Columns", 0),
        frames=_number(dataset, "NumberOfFrames", 1) or 1,
        samples=_number(dataset, "SamplesPerPixel", 1),
        bits=bits,
        stored=stored,
        high_bit=_number(dataset, "HighBit", stored - 1),
        signed=_number(dataset, "PixelRepresentation", 0) == 1,
        photometric=str(dataset.get("PhotometricInterpretation") or "").strip(),
    )


def _number(dataset: Dataset, keyword: str, default: int) -> int:
    # An absent keyword costs `get` an exception.
    value = dataset[keyword].value if keyword in dataset else None
    return default if value in (None, "") else int(value)


def _samples_of(photometric: str) -> int:
    if photometric in MONOCHROME or photometric == PALETTE:
        return 1
    if photometric in COLOUR:
        return 3
    raise Refusal(Reason.PHOTOMETRIC)
