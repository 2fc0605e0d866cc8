"""What kind of object a file says it is, for the list of what was refused: names of the standard, nothing else."""

from collections.abc import Iterator
from mmap import mmap
from struct import Struct
from struct import error as StructError

from pydantic import BaseModel, ConfigDict
from pydicom.uid import UID

from wardround.imaging.reading.files import Openable, mapped

PREFIX = 128
_ELEMENT = Struct("<HH2sH")
_LONG = (b"OB", b"OW", b"SQ", b"UN", b"UT")
_SOP_CLASS, _SYNTAX = 0x0002, 0x0010
_UNKNOWN = "private or unknown"
# Newer than pydicom's dictionary.
_NEWER = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
}


class Kind(BaseModel):
    """Names of the SOP class and the transfer syntax in the standard (PS3.6), "" where the file has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sop_class: str = ""
    syntax: str = ""


def kind_of(file: Openable) -> Kind:
    """Reads a file's kind; empty for what is no DICOM file. Never raises, and takes no value but registered UIDs."""
    try:
        with mapped(file) as content:
            meta, _ = file_meta(content)
    except (OSError, ValueError, StructError):
        return Kind()
    return Kind(
        sop_class=_name(meta.get(_SOP_CLASS, ""), "SOP Class"),
        syntax=_name(meta.get(_SYNTAX, ""), "Transfer Syntax"),
    )


def file_meta(content: mmap) -> tuple[dict[int, str], int]:
    """The UIDs of the file meta information by element number, and where the data set begins (PS3.10 7.1).

    Nothing is there, and the data set begins at 0, if the prefix is missing.
    """
    if content[PREFIX : PREFIX + 4] != b"DICM":
        return {}, 0
    uids, at = {}, PREFIX + 4
    for number, kind, start, end in _elements(content):
        if kind == b"UI":
            uids[number] = content[start:end].rstrip(b"\0 ").decode("ascii", "replace")
        at = end
    return uids, at


def syntax_in(meta: dict[int, str]) -> str:
    """The transfer syntax among a file's UIDs, "" if there is none."""
    return meta.get(_SYNTAX, "")


def _elements(content: mmap) -> Iterator[tuple[int, bytes, int, int]]:
    at = PREFIX + 4
    while at + 8 <= len(content):
        group, number, kind, length = _ELEMENT.unpack_from(content, at)
        if group != 2:
            return
        start = at + 8
        if kind in _LONG:
            length, start = int.from_bytes(content[at + 8 : at + 12], "little"), at + 12
        at = start + length
        yield number, kind, start, at


def _name(uid: str, kind: str) -> str:
    known = UID(uid)
    if not uid:
        return ""
    return known.name if known.type == kind else _NEWER.get(uid, _UNKNOWN)
