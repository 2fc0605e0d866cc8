"""Opening a DICOM file without trusting it: what it claims is checked before anything large is read."""

import os
import stat
import warnings
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from logging import CRITICAL, getLogger
from pathlib import Path

import gdcm
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from wardround.imaging.reasons import Reason, Refusal

IDENTITY_TAGS = (
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "AccessionNumber",
    "PatientID",
    "Modality",
)
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
    "SharedFunctionalGroupsSequence",
)
# File meta, other headers and encapsulation beside the pixels of a file at the limit.
_SLACK = 64 << 20
_STEP = 1 << 20


@contextmanager
def quiet() -> Iterator[None]:
    """Silences pydicom and gdcm: their warnings quote element values, which are patient data."""
    getLogger("pydicom").setLevel(CRITICAL + 1)
    for off in (gdcm.Trace.WarningOff, gdcm.Trace.ErrorOff, gdcm.Trace.DebugOff):
        off()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_dataset(path: Path, tags: Sequence[str], max_bytes: int, *, pixels: bool = False) -> Dataset:
    """Reads the named elements of a DICOM file (Part 10), and `PixelData` if asked; nothing else is kept.

    Raises Refusal for anything that is not a readable DICOM file, or that would take more than `max_bytes`.
    """
    wanted = [*tags, "PixelData"] if pixels else list(tags)
    with guarded():
        check_source(path, max_bytes)
        dataset = pydicom.dcmread(path, stop_before_pixels=not pixels, specific_tags=wanted)
        # pydicom converts a value when it is first looked at, which must not raise later.
        deque(dataset.iterall(), maxlen=0)
        return dataset


def check_source(path: Path, max_bytes: int) -> None:
    """Raises Refusal for what is no file, has no content, or would take more than `max_bytes`, deflated or not."""
    _check_file(path, max_bytes)
    if _transfer_syntax(path) == DeflatedExplicitVRLittleEndian:
        _check_inflated(path, max_bytes + _SLACK)


@contextmanager
def guarded() -> Iterator[None]:
    """Makes a Refusal of whatever pydicom raises on a damaged file: the exception's text may quote the file."""
    try:
        yield
    except Refusal:
        raise
    except InvalidDicomError as error:
        raise Refusal(Reason.NOT_DICOM) from error
    except RecursionError as error:
        raise Refusal(Reason.TOO_DEEP) from error
    except MemoryError as error:
        raise Refusal(Reason.TOO_LARGE) from error
    except Exception as error:
        raise Refusal(Reason.DAMAGED_HEADER) from error


def text(dataset: Dataset, keyword: str) -> str:
    """An element's value as stripped text, "" where it is absent or empty."""
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip().strip("\0")


def check_claims(dataset: Dataset, max_bytes: int) -> int:
    """Checks what a header claims about its pixels and returns the decoded size in bytes; raises Refusal."""
    rows, columns = (int(dataset.get(name) or 0) for name in ("Rows", "Columns"))
    bits, samples = int(dataset.get("BitsAllocated") or 0), int(dataset.get("SamplesPerPixel") or 1)
    frames = int(dataset.get("NumberOfFrames") or 1)
    if min(rows, columns, bits) < 1:
        raise Refusal(Reason.NO_PIXELS)
    if frames != 1 or "SharedFunctionalGroupsSequence" in dataset:
        raise Refusal(Reason.MULTI_FRAME)
    if samples != 1 or not text(dataset, "PhotometricInterpretation").startswith("MONOCHROME"):
        raise Refusal(Reason.NOT_GREY)
    if bits not in (8, 16, 32) or not 1 <= int(dataset.get("BitsStored") or bits) <= bits:
        raise Refusal(Reason.BIT_DEPTH)
    if rows * columns * bits // 8 > max_bytes:
        raise Refusal(Reason.TOO_LARGE)
    return rows * columns * bits // 8


def _check_file(path: Path, max_bytes: int) -> None:
    try:
        status = os.stat(path)
    except OSError as error:
        raise Refusal(Reason.NOT_A_FILE) from error
    # A named pipe or device would block or never end.
    if not stat.S_ISREG(status.st_mode):
        raise Refusal(Reason.NOT_A_FILE)
    if status.st_size == 0:
        raise Refusal(Reason.EMPTY)
    if status.st_size > max_bytes + _SLACK:
        raise Refusal(Reason.TOO_LARGE)


def _transfer_syntax(path: Path) -> UID:
    return UID(str(read_file_meta_info(path).get("TransferSyntaxUID", "")))


def _check_inflated(path: Path, limit: int) -> None:
    # pydicom inflates such a file in one piece, so its size is counted first, a step at a time.
    inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as stream:
        stream.seek(_end_of_meta(path))
        while not inflater.eof and (raw := inflater.unconsumed_tail or stream.read(_STEP)):
            total += len(inflater.decompress(raw, _STEP))
            if total > limit:
                raise Refusal(Reason.TOO_LARGE)


def _end_of_meta(path: Path) -> int:
    # PS3.10 section 7.1: the group length element (12 bytes after the prefix) counts what follows it.
    length = read_file_meta_info(path).get("FileMetaInformationGroupLength")
    if length is None:
        raise Refusal(Reason.DAMAGED_HEADER)
    return 128 + 4 + 12 + int(length)
