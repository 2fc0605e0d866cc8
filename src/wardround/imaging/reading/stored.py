"""The stored values of an object, frame by frame: decoded, colours as RGB, and nothing else applied."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from struct import unpack

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import UID, RLELossless

from wardround.errors import WardroundError
from wardround.imaging.reading.claims import (
    CLAIM_TAGS,
    PARTIAL,
    Claims,
    check_complete,
    read_claims,
    syntax_of,
)
from wardround.imaging.reading.codecs import decoder_of
from wardround.imaging.reading.codestream import check_codestream, check_runs
from wardround.imaging.reading.deadline import limited
from wardround.imaging.reading.files import Openable
from wardround.imaging.reading.header import read_dataset
from wardround.imaging.reasons import Reason, Refusal

_FLOATS = ("FloatPixelData", "DoubleFloatPixelData")
_PIXELS = ("PixelData", *_FLOATS)


@dataclass(frozen=True)
class Stored:
    """An object's pixels, not decoded yet: its claims are checked and its frames are there."""

    dataset: Dataset
    claims: Claims
    syntax: UID

    def frame(self, index: int) -> np.ndarray:
        """One frame [rows, columns] or, in colour, RGB [rows, columns, 3]. Raises Refusal."""
        return next(self._decoded([index]))

    def __iter__(self) -> Iterator[np.ndarray]:
        """All frames in order, one in memory at a time. Raises Refusal."""
        return self._decoded(None)

    def _decoded(self, indices: list[int] | None) -> Iterator[np.ndarray]:
        syntax, claims = self.syntax, self.claims
        plain = claims.samples == 1 and not self.is_float and not syntax.is_encapsulated
        # The bytes of big-endian files may be swapped in pairs, which pydicom sorts out.
        if plain and (claims.bits != 8 or syntax.is_little_endian):
            view = self._unpacked if claims.bits == 1 else self._viewed
            yield from (view(index) for index in indices or range(claims.frames))
            return
        arrays = decoder_of(syntax).iter_array(self.dataset, indices=indices)
        for _ in range(claims.frames if indices is None else len(indices)):
            with refusing(), limited():
                array: np.ndarray = next(arrays)[0]
            yield array if self.is_float else array.astype(claims.dtype, copy=False)

    def _viewed(self, index: int) -> np.ndarray:
        # No copy of the pixels, where all of their bits are used.
        claims, little = self.claims, self.syntax.is_little_endian
        dtype, count = claims.dtype.newbyteorder("<" if little else ">"), claims.rows * claims.columns
        frame = np.frombuffer(self.dataset.PixelData, dtype, count, index * count * dtype.itemsize)
        left = claims.bits - claims.shift - claims.stored
        if left or claims.shift:
            frame = _used_bits(frame, left, claims.bits - claims.stored)
        return frame.astype(claims.dtype, copy=False).reshape(claims.rows, claims.columns)

    def _unpacked(self, index: int) -> np.ndarray:
        # PS3.5 section 8.1.1: a frame may begin within a byte, which pydicom forgets at its end.
        shape = self.claims.rows, self.claims.columns
        count = shape[0] * shape[1]
        first, offset = divmod(index * count, 8)
        packed = np.frombuffer(self.dataset.PixelData, np.uint8)[first : first + (offset + count + 7) // 8]
        return np.unpackbits(packed, bitorder="little")[offset : offset + count].reshape(shape)

    @property
    def is_float(self) -> bool:
        """Whether the values are float32 or float64."""
        return any(keyword in self.dataset for keyword in _FLOATS)


def open_stored(file: Openable, tags: Sequence[str | tuple[int, int]], max_bytes: int) -> Stored:
    """Opens an object with the named elements. Raises Refusal if its pixels cannot be what the header claims.

    A frame may take `max_bytes` when decoded; nothing is decoded here.
    """
    return stored_of(read_dataset(file, [*CLAIM_TAGS, *tags], max_bytes, pixels=True), max_bytes)


def stored_of(dataset: Dataset, max_bytes: int) -> Stored:
    """The pixels of an object that was read, as by `open_stored`. Raises Refusal."""
    held = next((len(dataset[keyword].value or b"") for keyword in _PIXELS if keyword in dataset), 0)
    if not held:
        raise Refusal(Reason.NO_PIXELS)
    if "PixelData" in dataset:
        check_complete(dataset)
    stored = Stored(dataset, read_claims(dataset, max_bytes), syntax_of(dataset))
    syntax = stored.syntax
    # Retired, and no library here knows how their chroma lies when it is not compressed.
    if stored.claims.photometric in PARTIAL and not syntax.is_encapsulated:
        raise Refusal(Reason.PHOTOMETRIC)
    decoder_of(syntax)
    with refusing(), limited():
        if syntax.is_encapsulated:
            _check_frames(stored, run_length=syntax == RLELossless)
        # PS3.5 section 8.1.1; compressed frames are counted instead.
        elif held < stored.claims.packed_bytes:
            raise Refusal(Reason.TRUNCATED)
    return stored


def _used_bits(frame: np.ndarray, left: int, right: int) -> np.ndarray:
    """The bits between those that `left` drops above and `right - left` drops below, with their sign."""
    low, high = int(frame.min()), int(frame.max())
    bits = 8 * frame.dtype.itemsize - right
    legal = (0, 2**bits - 1) if frame.dtype.kind == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    # Nearly always the bits that are not used are clear, or repeat the sign.
    if left == right and legal[0] <= low and high <= legal[1]:
        return frame
    used: np.ndarray = np.right_shift(np.left_shift(frame, left), right)
    return used


def _check_frames(stored: Stored, *, run_length: bool) -> None:
    count = 0
    frames = generate_frames(
        stored.dataset.PixelData,
        number_of_frames=stored.claims.frames,
        extended_offsets=_extended_offsets(stored.dataset),
    )
    check = check_runs if run_length else check_codestream
    for frame in frames:
        check(frame, stored.claims)
        count += 1
    if count < stored.claims.frames:
        raise Refusal(Reason.TRUNCATED)


def _extended_offsets(dataset: Dataset) -> tuple[list[int], list[int]] | None:
    tables = [dataset.get(name) for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")]
    if not all(tables):
        return None
    offsets, lengths = (
        list(unpack(f"<{len(table) // 8}Q", table[: len(table) // 8 * 8])) for table in tables
    )
    return (offsets, lengths) if len(offsets) == len(lengths) else None


@contextmanager
def refusing(reason: Reason = Reason.UNDECODABLE) -> Iterator[None]:
    """Whatever goes wrong inside becomes a Refusal, but for Wardround's own errors."""
    try:
        yield
    except WardroundError:
        raise
    except MemoryError as error:
        raise Refusal(Reason.TOO_LARGE) from error
    # Decoders raise almost anything on damaged input, and their texts may quote it.
    except Exception as error:
        raise Refusal(reason) from error
