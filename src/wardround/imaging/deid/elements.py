"""Elements as they are met in an object: bytes, text, or items, whichever way the object was read or made.

pydicom keeps what it reads from a file as raw bytes until an element is looked at. Most elements need no look, so
they stay bytes here; every value given out is little endian.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import writers
from pydicom.sequence import Sequence as Items
from pydicom.tag import BaseTag

from wardround.imaging.deid.policy import DATES, NUMBER_STRINGS, NUMBERS, TEXTS, VRS
from wardround.imaging.deid.table import load_table
from wardround.imaging.reasons import Reason, Refusal

Elements = dict[BaseTag, DataElement | RawDataElement]

UTF8 = ("utf8",)
# Real objects nest less than ten deep.
MAX_DEPTH = 24
STRINGS = TEXTS | NUMBER_STRINGS | DATES | {"CS", "AE", "AS", "PN", "UI", "UR"}
_CHARSETS = TEXTS | {"PN"}
_DELIMITERS = {0x0D, 0x0A, 0x09, 0x0C, 0x5C, 0x5E, 0x3D}


def added(elements: Elements, *new: DataElement | RawDataElement) -> Elements:
    """The mapping, with elements added under their tags."""
    elements.update((element.tag, element) for element in new)
    return elements


class Met(NamedTuple):
    """One element: tag, VR, and its bytes (little endian) or items; `encodings` are Python's names for its text."""

    tag: int
    vr: str
    value: bytes
    items: tuple[Dataset, ...] | None
    encodings: Sequence[str]

    @property
    def text(self) -> str:
        """The value as text; what cannot be decoded is replaced."""
        if self.vr not in _CHARSETS or (self.value.isascii() and b"\x1b" not in self.value):
            return self.value.decode("ascii", "replace").strip(" \0")
        return decode_bytes(self.value, list(self.encodings), _DELIMITERS).strip(" \0")


def meet(element: DataElement | RawDataElement, dataset: Dataset, encodings: Sequence[str]) -> Met | None:
    """What an element of a dataset holds, or None if it cannot be read. Raises Refusal if it nests too deep."""
    tag = int(element.tag)
    vr = _vr(element, dataset, tag)
    try:
        if vr == "SQ":
            return Met(tag, vr, b"", _items(element, dataset, encodings), encodings)
        if isinstance(element, RawDataElement) and element.is_little_endian:
            return Met(tag, vr, element.value or b"", None, encodings)
        return _converted(element, dataset, tag, vr)
    except RecursionError as error:
        raise Refusal(Reason.TOO_DEEP) from error
    # pydicom raises almost anything on a damaged value, and its text may quote the value.
    except Exception:
        return None


def agreed(tag: int, met: Met) -> str | None:
    """The VR under which an element is handled: the dictionary's, unless what was met can't be read so (None)."""
    known = load_table().entries.get(tag)
    expected = VRS.get(tag) or (known.vr if known else "") or met.vr
    if met.vr == expected or met.vr in expected.split(" or "):
        return met.vr
    if "SQ" in (expected, met.vr):
        return None
    if met.vr in NUMBERS and expected in NUMBERS:
        return met.vr
    if met.vr in STRINGS and expected in STRINGS:
        return expected
    # Bytes for bytes, such as OB for OW.
    return met.vr if met.vr.startswith("O") and expected.startswith("O") else None


def is_plain(element: DataElement | RawDataElement) -> bool:
    """Whether an element is as an output's are: bytes, explicit VR, little endian."""
    return isinstance(element, RawDataElement) and element.is_little_endian and not element.is_implicit_VR


def text_at(dataset: Dataset, tag: int, encodings: Sequence[str]) -> str:
    """The text of a dataset's element, "" if there is none."""
    met = meet(dataset.get_item(tag), dataset, encodings) if tag in dataset else None
    return "" if met is None else met.text


def encodings_of(dataset: Dataset, above: Sequence[str]) -> Sequence[str]:
    """Python's names of the character sets of a dataset or item: its own, else those of the dataset around it."""
    element = dataset.get_item(0x00080005) if 0x00080005 in dataset else None
    if element is None or not element.value:
        return above
    value = element.value
    names = value.decode("ascii", "replace").split("\\") if isinstance(value, bytes) else value
    names = [names] if isinstance(names, str) else [str(name).strip(" \0") for name in names]
    return tuple(convert_encodings(names))


def made(tag: int, vr: str, value: bytes) -> RawDataElement:
    """An element of an output, explicit VR little endian."""
    return RawDataElement(BaseTag(tag), vr, len(value), value, 0, False, True)


def made_items(tag: int, items: Sequence[Dataset]) -> DataElement:
    """A sequence of an output."""
    return DataElement(BaseTag(tag), "SQ", Items(items))


def made_dataset(elements: Elements) -> Dataset:
    """A dataset or item of an output, which pydicom reads and writes without another look at its elements.

    It holds the very mapping that is given: what the sweep changes there is changed in the dataset.
    """
    dataset = Dataset(elements)
    dataset.set_original_encoding(False, True)
    return dataset


def _vr(element: DataElement | RawDataElement, dataset: Dataset, tag: int) -> str:
    vr = element.VR
    if vr is None or vr == "UN":
        vr = VRS.get(tag, "UN")
    if " or " in vr:
        return _chosen(vr, dataset)
    return str(vr)


def _chosen(vr: str, dataset: Dataset) -> str:
    if vr in ("OB or OW", "US or OW", "US or SS or OW"):
        return "OW"
    element = dataset.get_item(0x00280103) if 0x00280103 in dataset else None
    value = element.value if element is not None else None
    signed = int.from_bytes(value, "little") if isinstance(value, bytes) else value
    return "SS" if signed == 1 else "US"


def _items(
    element: DataElement | RawDataElement, dataset: Dataset, encodings: Sequence[str]
) -> tuple[Dataset, ...]:
    if isinstance(element, DataElement):
        return tuple(element.value or ())
    if not element.value:
        return ()
    # A sequence of unknown VR is written with implicit VR (PS3.5 6.2.2).
    raw = element._replace(VR="SQ", is_implicit_VR=element.is_implicit_VR or element.VR == "UN")
    return tuple(convert_raw_data_element(raw, encoding=list(encodings), ds=dataset).value)


def _converted(element: DataElement | RawDataElement, dataset: Dataset, tag: int, vr: str) -> Met:
    if isinstance(element, RawDataElement):
        # Big endian: pixels and look-up tables are words, which pydicom leaves as they are.
        if vr in ("OW", "OB", "UN"):
            return Met(tag, vr, element.value or b"", None, UTF8)
        element = convert_raw_data_element(element._replace(VR=vr), ds=dataset)
    if element.is_empty:
        return Met(tag, vr, b"", None, UTF8)
    if vr in _CHARSETS or vr in ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"):
        value = element.value
        parts = value if isinstance(value, list) or hasattr(value, "append") else [value]
        return Met(tag, vr, "\\".join(map(str, parts)).encode("utf-8", "replace"), None, UTF8)
    if isinstance(element.value, bytes):
        return Met(tag, vr, element.value, None, UTF8)
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write, form = writers[vr]  # type: ignore[index]
    write(buffer, element, form) if form is not None else write(buffer, element)  # type: ignore[operator]
    return Met(tag, vr, buffer.getvalue(), None, UTF8)
