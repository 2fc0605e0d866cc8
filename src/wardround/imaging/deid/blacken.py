"""Blackening parts of an object's pixels, whatever they are compressed with; the result is not compressed.

Only the description of the pixels changes with them (PS3.3 C.7.6.3). Lossy Image Compression stays "01" if it was,
and becomes so if the object did not say what its transfer syntax says: what was lost stays lost.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
)

from wardround.imaging.burned_in import Box
from wardround.imaging.burned_in.regions import Known
from wardround.imaging.reading.claims import PALETTE, PARTIAL
from wardround.imaging.reading.codecs import decoder_of
from wardround.imaging.reading.deadline import limited
from wardround.imaging.reading.luminance import luminance
from wardround.imaging.reading.stored import Stored, refusing
from wardround.imaging.reasons import Reason, Refusal

_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_VRS = {"FloatPixelData": "OF", "DoubleFloatPixelData": "OD"}
_LOSSY = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless})
_OFFSETS = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")


def blackened_object(dataset: Dataset, opened: Stored, known: Known, max_bytes: int) -> Dataset:
    """A copy of an object in which the regions are black in every frame; the object itself if they were already.

    Raises Refusal: cannot be decoded, pixels of single bits or a retired kind of colour, more than `max_bytes` when
    decoded.
    """
    claims = opened.claims
    if claims.bits == 1 or claims.photometric in PARTIAL:
        raise Refusal(Reason.SHOWN)
    if claims.frame_bytes * claims.frames > max_bytes:
        raise Refusal(Reason.TOO_LARGE)
    content, changed, said = bytearray(), False, dict[str, str | int]()
    for frame, said in _frames(opened):
        covered = _covered(
            frame, known.regions, _black(frame, opened, str(said["photometric_interpretation"]))
        )
        changed = changed or not np.array_equal(covered, frame, equal_nan=frame.dtype.kind == "f")
        content += covered.tobytes()
    return _described(dataset, opened, bytes(content), said) if changed else dataset


def copied(dataset: Dataset) -> Dataset:
    """An object with the same elements, of which others can take the place."""
    output = Dataset({element.tag: element for element in dataset.elements()})
    implicit, little = dataset.original_encoding
    output.set_original_encoding(implicit, little, dataset.original_character_set)
    output.file_meta = dataset.file_meta
    return output


def _frames(opened: Stored) -> Iterator[tuple[np.ndarray, dict[str, str | int]]]:
    """Each frame as stored, little endian, its colours as they are, and what describes it."""
    frames = decoder_of(opened.syntax).iter_array(opened.dataset, raw=True)
    for _ in range(opened.claims.frames):
        with refusing(), limited():
            frame, said = next(frames)
            said["photometric_interpretation"] = _decoded_as(str(said["photometric_interpretation"]))
            yield frame.astype(frame.dtype.newbyteorder("<"), copy=False), said


def _decoded_as(photometric: str) -> str:
    """What colours are once they are decoded: JPEG 2000 gives RGB, and chroma is there for every pixel."""
    if photometric in ("YBR_ICT", "YBR_RCT"):
        return "RGB"
    return "YBR_FULL" if photometric.startswith("YBR") else photometric


def _covered(frame: np.ndarray, regions: Sequence[Box], black: np.ndarray) -> np.ndarray:
    covered = frame.copy()
    for left, top, right, bottom in regions:
        covered[top:bottom, left:right] = black
    return covered


def _black(frame: np.ndarray, opened: Stored, photometric: str) -> np.ndarray:
    """What is shown darkest, as stored: one value, or one for each colour."""
    if photometric == "YBR_FULL":
        # PS3.3 C.7.6.3.1.2: no colour lies in the middle.
        middle = 2 ** (opened.claims.stored - 1)
        return np.array([0, middle, middle], frame.dtype)
    if frame.ndim == 3:
        return np.zeros(frame.shape[-1], frame.dtype)
    if photometric == PALETTE:
        with refusing(Reason.PALETTE):
            shown, _ = luminance(frame, opened.claims, opened.dataset)
        return np.asarray(frame.flat[int(shown.argmin())])
    return np.asarray(np.nanmax(frame) if photometric == "MONOCHROME1" else np.nanmin(frame))


def _described(dataset: Dataset, opened: Stored, content: bytes, said: dict[str, str | int]) -> Dataset:
    keyword = next(name for name in _KEYWORDS if name in dataset)
    output = copied(dataset)
    output.file_meta = FileMetaDataset()
    output.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    wide = int(said["bits_allocated"]) > 8
    output.add_new(keyword, _VRS.get(keyword, "OW" if wide else "OB"), content + b"\0" * (len(content) % 2))
    output.PhotometricInterpretation = str(said["photometric_interpretation"])
    output.BitsAllocated = said["bits_allocated"]
    if opened.claims.samples > 1:
        output.PlanarConfiguration = 0
    for name in _OFFSETS:
        output.pop(name, None)
    if _is_lossy(opened.syntax):
        output.LossyImageCompression = "01"
    return output


def _is_lossy(syntax: UID) -> bool:
    return syntax in _LOSSY
