"""Who and what an object is, under the site's key: its patient's pseudonym and shift, and its UIDs."""

import re

from pydicom._uid_dict import UID_dictionary
from pydicom.dataset import Dataset

from wardround.imaging.deid.elements import UTF8, encodings_of, text_at
from wardround.imaging.deid.pseudonyms import Pseudonyms
from wardround.imaging.deid.rules import Rules

_ID, _NAME, _STUDY = 0x00100020, 0x00100010, 0x0020000D
# Storage classes younger than the dictionary; the standard's own root, so no vendor and no instance is named so.
_STORAGE = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1(\.\d{1,3}){1,4}")
_LEGAL = re.compile(rb"\d[0-9.]{0,63}")


def is_standard(uid: str) -> bool:
    """Whether the standard defines a UID: a SOP class, a transfer syntax, a coding scheme, …"""
    return uid in UID_dictionary or _STORAGE.fullmatch(uid) is not None


class Identity:
    """The stand-ins of one object.

    A patient is its Patient ID (an issuer is not looked at: many objects lack it), else its name; dates of an object
    without either move with its study.
    """

    def __init__(self, rules: Rules, dataset: Dataset) -> None:
        """Reads the patient from the object's top level; the dataset is not changed."""
        self._pseudonyms: Pseudonyms = rules.pseudonyms
        self._known: dict[bytes, bytes] = {}
        self.patient = self.patient_in(dataset)
        whose = self.patient or _text(dataset, _STUDY)
        self.days = self._pseudonyms.days(whose, rules.options.max_shift_days) if whose else None

    def patient_in(self, dataset: Dataset) -> str:
        """The pseudonym of the patient that a dataset or item names by ID, else by name; "" if it names none."""
        identifier, name = _text(dataset, _ID), _text(dataset, _NAME)
        if not identifier and not name:
            return ""
        return self._pseudonyms.patient(f"id/{identifier}" if identifier else f"name/{name}")

    def uids(self, value: bytes) -> bytes:
        """One or several UIDs, each mapped unless the standard defines it (a SOP class, a transfer syntax, …)."""
        return b"\\".join(map(self._uid, value.split(b"\\")))

    def legal_uids(self, value: bytes) -> bytes:
        """UIDs as they are; what has not the form of one is mapped."""
        parts = value.split(b"\\")
        return b"\\".join(part if not part or _LEGAL.fullmatch(part) else self._uid(part) for part in parts)

    def _uid(self, uid: bytes) -> bytes:
        uid = uid.strip(b" \0")
        if uid not in self._known:
            text = uid.decode("latin-1")
            kept = not uid or is_standard(text)
            self._known[uid] = uid if kept else self._pseudonyms.uid(text).encode()
        return self._known[uid]


def _text(dataset: Dataset, tag: int) -> str:
    return text_at(dataset, tag, encodings_of(dataset, UTF8))
