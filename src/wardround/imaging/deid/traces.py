"""Traces of identifiers: what an object says about people is remembered, and looked for in all that stays.

Names hide in descriptions, protocol names and coded strings. Every name, identifier and address found anywhere in an
object, in what is removed too, is a trace; a text that stays must not hold one.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from unicodedata import combining, normalize

from wardround.imaging.deid.codes import vocabulary
from wardround.imaging.deid.table import load_table
from wardround.imaging.deid.words import words

_IDENTIFIES = re.compile(
    r"(PatientIDs?|IDs?|Number|Address|Locator|Residence|AETitle|Identifier|Issuer\w*|Identification|Numbers)$"
    r"|Institution(Name|Address|alDepartmentName)|StationName|Telephone|Telecom|BirthDate$|Insurance|OrderNumber"
)
_WORD = re.compile(r"[^\W_]+")
# Words of addresses and institutions that name no one.
_GENERIC = words(
    "hospital medical center centre clinic university department radiology imaging health care institute street "
    "road avenue city county general regional community children klinikum klinik universitaet krankenhaus ward "
    "north south east west saint room scanner station unit service services suite chest head heart abdomen spine "
    "women mens cancer none unknown anonymous removed test patient"
)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa"})
_LATIN = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "ł": "l", "đ": "d", "þ": "th"})
_SHORT = 3
_SOLID = 5


@dataclass
class Traces:
    """Words and solid strings (letters and digits without gaps, lower case) that identify someone.

    words are matched as whole words; solids of five and more characters anywhere, spaces ignored; initials, names of
    two letters, only where free text is cleaned.
    """

    words: set[str] = field(default_factory=set)
    solids: set[str] = field(default_factory=set)
    initials: set[str] = field(default_factory=set)

    def add_name(self, text: str) -> None:
        """Adds the parts of a person's name (all component groups)."""
        for word in _words(text):
            # Two ideographs are a whole name; two letters are less.
            if (len(word) >= _SHORT or (len(word) == 2 and not word.isascii())) and word not in _GENERIC:
                self._add(word)
            elif len(word) == 2:
                self.initials.add(word)

    def add_identifier(self, text: str) -> None:
        """Adds an identifier, an address or the like: as a whole, and its telling words."""
        for part in text.split("\\"):
            words = _words(part)
            solid = "".join(words)
            if len(solid) >= _SOLID - 1 and solid not in _GENERIC:
                self._add(solid)
            for word in words:
                if len(word) >= _SOLID - 1 and word not in _GENERIC:
                    self._add(word)

    def found_in(self, text: str, *, free: bool = False) -> bool:
        """Whether a text holds a trace; `free` looks for two-letter names too."""
        words = _words(text)
        if not self.words.isdisjoint(words) or (free and not self.initials.isdisjoint(words)):
            return True
        solid = "".join(words)
        return any(trace in solid for trace in self.solids)

    def is_one(self, text: str) -> bool:
        """Whether a short value, such as a number or a component of a UID, is a trace itself."""
        return text in self.solids

    def _add(self, word: str) -> None:
        for form in _forms(word):
            self.words.add(form)
            if len(form) >= _SOLID or not form.isascii():
                self.solids.add(form)


def kind_of(tag: int, vr: str) -> str:
    """`name`, `identifier`, or "" for an element that identifies no one."""
    if vr == "PN":
        return "name"
    return "identifier" if tag in _identifying() else ""


def cleaned(text: str, traces: Traces) -> str:
    """The words of a text that are terms of medicine or imaging and no traces, joined by spaces; "" if none is."""
    if traces.found_in(text, free=True):
        kept = [word for word in _words(text) if _is_term(word) and not traces.found_in(word, free=True)]
    else:
        kept = [word for word in _words(text) if _is_term(word)]
    return " ".join(kept).upper()


def _forms(word: str) -> set[str]:
    """A word as it is, and as equipment that knows no accents writes it."""
    if word.isascii():
        return {word}
    plain = "".join(letter for letter in normalize("NFKD", word) if not combining(letter))
    return {word, *(form.translate(_LATIN) for form in (plain, word.translate(_UMLAUTS)))}


def _is_term(word: str) -> bool:
    return word in vocabulary()


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


@cache
def _identifying() -> frozenset[int]:
    return frozenset(
        entry.tag
        for entry in load_table().entries.values()
        if entry.vr not in ("SQ", "PN", "UI") and _IDENTIFIES.search(entry.keyword)
    )
