"""The stored values of an object, frame by frame: decoded, colours as RGB, and nothing else applied."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from struct import unpack

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import RLELossless

from wardround.imaging.claims import CLAIM_TAGS, Claims, read_claims, syntax_of
from wardround.imaging.codecs import decoder_of
from wardround.imaging.codestream import check_codestream, check_runs
from wardround.imaging.deadline import limited
from wardround.imaging.header import read_dataset
from wardround.imaging.reasons import Reason, Refusal

_FLOATS = ("FloatPixelData", "DoubleFloatPixelData")


@dataclass(frozen=True)
class Stored:
    """An object's pixels, not decoded yet: its claims are checked and its frames are there."""

    dataset: Dataset
    claims: Claims

    def frame(self, index: int) -> np.ndarray:
        """One frame [rows, columns] or, in colour, RGB [rows, columns, 3]. Raises Refusal."""
        return next(self._decoded([index]))

    def __iter__(self) -> Iterator[np.ndarray]:
        """All frames in order, one in memory at a time. Raises Refusal."""
        return self._decoded(None)

    def _decoded(self, indices: list[int] | None) -> Iterator[np.ndarray]:
        decoder = decoder_of(syntax_of(self.dataset))
        # Values above the lowest bit are moved down below, which pydicom does not do.
        if self._lies_high:
            arrays = decoder.iter_array(self.dataset, indices=indices, correct_unused_bits=False)
        else:
            arrays = decoder.iter_array(self.dataset, indices=indices)
        for _ in range(self.claims.frames if indices is None else len(indices)):
            with refusing(), limited():
                array = self._finished(next(arrays)[0])
            yield array

    @property
    def _lies_high(self) -> bool:
        return bool(self.claims.shift) and not syntax_of(self.dataset).is_encapsulated

    def _finished(self, array: np.ndarray) -> np.ndarray:
        if self.is_float:
            return array
        if self._lies_high:
            claims = self.claims
            left = claims.bits - claims.shift - claims.stored
            array = np.right_shift(np.left_shift(array, left), claims.bits - claims.stored)
        return array.astype(self.claims.dtype, copy=False)

    @property
    def is_float(self) -> bool:
        """Whether the values are float32 or float64."""
        return any(keyword in self.dataset for keyword in _FLOATS)


def open_stored(path: Path, tags: Sequence[str], max_bytes: int) -> Stored:
    """Opens an object with the named elements. Raises Refusal if its pixels cannot be what the header claims.

    A frame may take `max_bytes` when decoded; nothing is decoded here.
    """
    dataset = read_dataset(path, [*CLAIM_TAGS, *tags], max_bytes, pixels=True)
    if not any(dataset.get(keyword) for keyword in ("PixelData", *_FLOATS)):
        raise Refusal(Reason.NO_PIXELS)
    stored = Stored(dataset, read_claims(dataset, max_bytes))
    syntax = syntax_of(dataset)
    decoder_of(syntax)
    with refusing(), limited():
        if syntax.is_encapsulated:
            _check_frames(stored, run_length=syntax == RLELossless)
        else:
            _check_length(stored)
    return stored


def _check_length(stored: Stored) -> None:
    held = max(len(stored.dataset.get(keyword) or b"") for keyword in ("PixelData", *_FLOATS))
    if held < stored.claims.packed_bytes:
        raise Refusal(Reason.TRUNCATED)


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
    """Whatever goes wrong inside becomes a Refusal."""
    try:
        yield
    except Refusal:
        raise
    except MemoryError as error:
        raise Refusal(Reason.TOO_LARGE) from error
    # Decoders raise almost anything on damaged input, and their texts may quote it.
    except Exception as error:
        raise Refusal(reason) from error
