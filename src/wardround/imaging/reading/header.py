"""Opening a DICOM file without trusting it: what it claims is checked before anything large is read."""

import os
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from logging import CRITICAL, getLogger
from mmap import ACCESS_READ, mmap
from typing import BinaryIO, cast

import gdcm
import pydicom
from pydicom.config import IGNORE, settings
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from wardround.imaging.reading.claims import CLAIM_TAGS, check_claims
from wardround.imaging.reading.deadline import limited
from wardround.imaging.reading.files import LinkError, Openable, opened
from wardround.imaging.reading.kinds import file_meta, syntax_in
from wardround.imaging.reading.structure import check_structure
from wardround.imaging.reasons import Reason, Refusal

__all__ = ["CLAIM_TAGS", "IDENTITY_TAGS", "PIXEL_TAGS", "check_claims", "quiet", "read_dataset", "text"]

IDENTITY_TAGS = (
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "AccessionNumber",
    "PatientID",
    "Modality",
)
PIXEL_TAGS = (
    "PixelData",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)
# File meta, other headers and encapsulation beside the pixels of a file at the limit.
_SLACK = 64 << 20
_STEP = 1 << 20
# Deflated files may become so large, or so many times larger, which few images are and every bomb.
_INFLATED, _RATIO = 512 << 20, 100


@contextmanager
def quiet() -> Iterator[None]:
    """Silences pydicom and gdcm: their warnings quote element values, which are patient data."""
    logger = getLogger("pydicom")
    # Setting a level empties the caches of all loggers.
    if logger.level <= CRITICAL:
        logger.setLevel(CRITICAL + 1)
    for off in (gdcm.Trace.WarningOff, gdcm.Trace.ErrorOff, gdcm.Trace.DebugOff):
        off()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_dataset(
    file: Openable, tags: Sequence[str | tuple[int, int]], max_bytes: int, *, pixels: bool = False
) -> Dataset:
    """Reads the named elements of a DICOM file (Part 10), and its pixel data if asked; nothing else is kept.

    Raises Refusal for anything that is not a readable DICOM file, or that would take more than `max_bytes`.
    """
    wanted = _numbers((*tags, *PIXEL_TAGS) if pixels else tuple(tags))
    return _read(file, max_bytes, lambda stream: _parsed(stream, wanted, pixels=pixels))


def read_object(file: Openable, max_bytes: int) -> Dataset:
    """Reads a whole DICOM file (Part 10) of at most `max_bytes`, deflated or not; its elements stay bytes.

    Raises Refusal for anything that is not a readable DICOM file.
    """
    return _read(file, max_bytes, pydicom.dcmread)


def _read(file: Openable, max_bytes: int, parse: Callable[[BinaryIO], Dataset]) -> Dataset:
    with _file_opened(file, max_bytes) as number, guarded(), limited():
        with mmap(number, 0, access=ACCESS_READ) as content:
            _check_content(content, max_bytes + _SLACK)
            content.seek(0)
            try:
                return parse(cast(BinaryIO, content))
            # An element that claims more than there is: a file can be sought past its end, a mapping cannot.
            except ValueError:
                with open(number, "rb", closefd=False) as stream:
                    stream.seek(0)
                    return parse(stream)


def selected(dataset: Dataset, tags: Sequence[str | tuple[int, int]]) -> Dataset:
    """The named elements of an object that was read, converted from bytes; the object itself is not changed.

    Raises Refusal where an element cannot be converted.
    """
    wanted = _numbers((*tags, *PIXEL_TAGS))
    view = Dataset({tag: dataset.get_item(tag) for tag in wanted if tag in dataset})
    view.file_meta = dataset.file_meta
    implicit, little = dataset.original_encoding
    view.set_original_encoding(implicit, little, dataset.original_character_set)
    mode, settings.reading_validation_mode = settings.reading_validation_mode, IGNORE
    try:
        with guarded():
            for _ in view:
                pass
        return view
    finally:
        settings.reading_validation_mode = mode


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
    # A damaged file can make the parser raise almost anything; the exception's text may quote the file.
    except Exception as error:
        raise Refusal(Reason.DAMAGED_HEADER) from error


def text(dataset: Dataset, keyword: str) -> str:
    """An element's value as stripped text, "" where it is absent or empty."""
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip().strip("\0")


def _parsed(stream: BinaryIO, wanted: list[BaseTag], *, pixels: bool) -> Dataset:
    # A value that breaks the rules of its VR is converted if it can be; pydicom's look for that takes time.
    mode, settings.reading_validation_mode = settings.reading_validation_mode, IGNORE
    try:
        dataset = pydicom.dcmread(stream, stop_before_pixels=not pixels, specific_tags=wanted)
        # pydicom converts a value when it is first looked at, which must not raise later.
        for _ in dataset:
            pass
        return dataset
    finally:
        settings.reading_validation_mode = mode


@lru_cache(maxsize=64)
def _numbers(keywords: tuple[str | tuple[int, int], ...]) -> list[BaseTag]:
    # What pydicom would look up anew for each file.
    return [Tag(keyword) for keyword in keywords]


@contextmanager
def _file_opened(file: Openable, max_bytes: int) -> Iterator[int]:
    """A descriptor of a file of a size that may be read. Raises Refusal."""
    with ExitStack() as stack:
        try:
            number = stack.enter_context(opened(file))
        except LinkError as error:
            raise Refusal(Reason.LINK) from error
        except (OSError, ValueError) as error:  # a name with a null character, too
            raise Refusal(Reason.NOT_A_FILE) from error
        size = os.fstat(number).st_size
        if size == 0:
            raise Refusal(Reason.EMPTY)
        if size > max_bytes + _SLACK:
            raise Refusal(Reason.TOO_LARGE)
        yield number


def _check_content(content: mmap, limit: int) -> None:
    meta, start = file_meta(content)
    if not start:
        raise Refusal(Reason.NOT_DICOM)
    syntax = syntax_in(meta)
    if syntax == DeflatedExplicitVRLittleEndian:
        check_structure(_inflated(content, start, limit), 0, implicit=False)
        return
    implicit, big_endian = syntax == ImplicitVRLittleEndian, syntax == ExplicitVRBigEndian
    check_structure(content, start, implicit=implicit, big_endian=big_endian)


def _inflated(content: mmap, at: int, limit: int) -> bytearray:
    # pydicom inflates such a file in one piece, so its size is counted first, a step at a time.
    inflater, inflated = zlib.decompressobj(-zlib.MAX_WBITS), bytearray()
    most = min(limit, max(_INFLATED, _RATIO * len(content)))
    while not inflater.eof and (raw := inflater.unconsumed_tail or content[at : at + _STEP]):
        at += 0 if inflater.unconsumed_tail else _STEP
        inflated += inflater.decompress(raw, _STEP)
        if len(inflated) > most:
            raise Refusal(Reason.TOO_LARGE)
    return inflated
