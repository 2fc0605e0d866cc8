"""`deidentify`: a dataset and rules give a new dataset and an account.

dataset ─ walk ─ sweep ─ declare ─ mark ─ new dataset, account
"""

from collections import Counter

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from wardround.imaging.deid.elements import UTF8, Elements, added, made, made_dataset, made_items
from wardround.imaging.deid.identity import Identity, is_standard
from wardround.imaging.deid.mark import add_mark, marked_options
from wardround.imaging.deid.options import CLEAN_PIXELS
from wardround.imaging.deid.pixels import plain_pixels
from wardround.imaging.deid.rules import Account, Rules
from wardround.imaging.deid.sweep import sweep
from wardround.imaging.deid.table import load_table
from wardround.imaging.deid.values import padded
from wardround.imaging.deid.walk import Walk
from wardround.imaging.reasons import Reason, Refusal

_PIXELS = 0x7FE00010
_CLASS, _INSTANCE = 0x00080016, 0x00080018
_CHARSET = 0x00080005
# What a text without a declared character set is most often written in; it gives a letter for every byte.
_UNDECLARED = ("iso8859",)
# A medium's directory, and an archive's inventory.
_DIRECTORIES = ("1.2.840.10008.1.3.10", "1.2.840.10008.5.1.4.1.1.201.1")
# The implementation's own UID (PS3.7 D.3.3.2), a random one in the UUID branch.
_IMPLEMENTATION = UID("2.25.81236412877419307542089561738201845177")


def deidentify(dataset: Dataset, rules: Rules, *, masked: bool = False) -> tuple[Dataset, Account]:
    """De-identifies an object to PS3.15 Annex E: a new dataset with its own file meta, and what was done.

    masked: parts of the pixels were blackened; the output says so, and is another instance even if UIDs are kept.

    The input is not changed. The output is explicit VR little endian (compressed pixels keep their transfer syntax),
    its character set UTF-8. An output of this function with the same key and options comes back as it is.

    Raises Refusal: private or unknown SOP class, a media directory, nested too deep, too many elements, an overlay in
    compressed pixels, or an object that this site de-identified before with other options.
    """
    syntax = _syntax(dataset)
    marked = marked_options(dataset, rules.pseudonyms)
    if marked is not None:
        if marked != rules.options.digest:
            raise Refusal(Reason.OTHER_RULES)
        return _finished(added({}, *dataset.elements()), syntax), Account.of(Counter(), unchanged=True)
    _check_class(dataset)
    walk = Walk(rules, Identity(rules, dataset))
    elements = walk.dataset(dataset, 0, _UNDECLARED)
    sweep(walk.texts, walk.traces, walk.identity, walk.counts)
    if _PIXELS in elements:
        added(elements, _pixels(dataset, syntax))
    if masked and rules.options.uids:
        added(elements, made(_INSTANCE, "UI", padded("UI", walk.identity.uids(_uid(dataset, _INSTANCE)))))
    _declare(elements, rules, masked=masked)
    add_mark(elements, rules.options.digest, rules.pseudonyms)
    return _finished(elements, syntax), Account.of(walk.counts, masked=masked)


def _finished(elements: Elements, syntax: UID) -> Dataset:
    output = made_dataset(elements)
    output.set_original_encoding(False, True, list(UTF8))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = output.get("SOPClassUID", "")
    meta.MediaStorageSOPInstanceUID = output.get("SOPInstanceUID", "")
    meta.TransferSyntaxUID = syntax if syntax.is_encapsulated else ExplicitVRLittleEndian
    meta.ImplementationClassUID = _IMPLEMENTATION
    meta.ImplementationVersionName = "WARDROUND"
    output.file_meta = meta
    return output


def _syntax(dataset: Dataset) -> UID:
    meta = getattr(dataset, "file_meta", None)
    syntax = UID(str(meta.get("TransferSyntaxUID", "") if meta is not None else "") or ExplicitVRLittleEndian)
    if not syntax.is_transfer_syntax or syntax.is_private:
        raise Refusal(Reason.SYNTAX)
    return syntax


def _uid(dataset: Dataset, tag: int) -> bytes:
    element = dataset.get_item(tag) if tag in dataset else None
    value = b"" if element is None or element.value is None else element.value
    return (value if isinstance(value, bytes) else str(value).encode()).strip(b" \0")


def _check_class(dataset: Dataset) -> None:
    uid = _uid(dataset, _CLASS).decode("latin-1")
    if uid in _DIRECTORIES:
        raise Refusal(Reason.DIRECTORY)
    # What stands in an object of a vendor's own making is known to the vendor alone.
    if uid and not is_standard(uid):
        raise Refusal(Reason.PRIVATE_CLASS)


def _pixels(dataset: Dataset, syntax: UID) -> RawDataElement:
    element = dataset.get_item(_PIXELS)
    value = element.value if isinstance(element.value, bytes) else b""
    big = not (element.is_little_endian if isinstance(element, RawDataElement) else syntax.is_little_endian)
    compressed = syntax.is_encapsulated
    swapped = big and not compressed and element.VR != "OB"
    plain = plain_pixels(dataset, value, encapsulated=compressed, swapped=swapped)
    vr = "OB" if compressed or element.VR == "OB" else "OW"
    if not compressed:
        return made(_PIXELS, vr, plain)
    return made(_PIXELS, vr, plain)._replace(length=0xFFFFFFFF)


def _declare(elements: Elements, rules: Rules, *, masked: bool) -> None:
    """Says in the object what was done to it (PS3.15 E.1.1, PS3.3 C.7.1.1 and C.12.1)."""
    texts = (
        (_CHARSET, "CS", "ISO_IR 192"),
        (0x00120062, "CS", "YES"),
        (0x00120063, "LO", f"WARDROUND PS3.15 {load_table().edition} {rules.options.digest}"),
        (0x00280303, "CS", "MODIFIED" if rules.options.dates == "shift" else "REMOVED"),
    )
    added(elements, *(_text(*text) for text in texts))
    codes = sorted([*rules.options.codes, CLEAN_PIXELS]) if masked else rules.options.codes
    added(elements, made_items(0x00120064, [_code(*code) for code in codes]))


def _code(code: str, meaning: str) -> Dataset:
    texts = ((0x00080100, "SH", code), (0x00080102, "SH", "DCM"), (0x00080104, "LO", meaning))
    return made_dataset(added({}, *(_text(*text) for text in texts)))


def _text(tag: int, vr: str, text: str) -> RawDataElement:
    return made(tag, vr, padded(vr, text.encode()))
