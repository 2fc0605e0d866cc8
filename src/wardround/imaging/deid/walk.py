"""The walk: every element of an object, at every depth, gets its action; nothing is taken over that has none.

    element ─ private? overlay? unknown? ─ removed
            └ action of the table or of the policy ─ output ─ traces (`sweep`)

Texts that stay are only noted here: whether one holds a trace of a person is known when all has been seen.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from wardround.imaging.deid.codes import verified
from wardround.imaging.deid.dates import is_time, shifted
from wardround.imaging.deid.elements import Elements, Met, added, encodings_of, made, made_dataset, made_items, meet
from wardround.imaging.deid.identity import Identity
from wardround.imaging.deid.policy import (
    DATES,
    NUMBER_STRINGS,
    NUMBERS,
    TEXTS,
    TOP_LEVEL_ONLY,
    VRS,
    Action,
)
from wardround.imaging.deid.private import safe_private
from wardround.imaging.deid.rules import Rules
from wardround.imaging.deid.table import load_table
from wardround.imaging.deid.traces import Traces, kind_of
from wardround.imaging.deid.values import DUMMY_TEXT, checked, dummy, padded, stripped
from wardround.imaging.reasons import Reason, Refusal

MAX_DEPTH = 24
MAX_ELEMENTS = 2_000_000

_STRINGS = TEXTS | NUMBER_STRINGS | DATES | {"CS", "AE", "AS", "PN", "UI", "UR"}
_VALUE, _SCHEME, _MEANING, _CONTENT, _AGE = 0x00080100, 0x00080102, 0x00080104, 0x0040A730, 0x00101010
_OLDEST = b"090Y"


class Text(NamedTuple):
    """A text that stays in the output unless a trace is found: where it stands, and its cleaning if it gets one."""

    elements: Elements
    tag: int
    vr: str
    text: str
    cleaned: bool = False


@dataclass
class Walk:
    """The state of one walk: the rules and the object's identity, and what is gathered on the way."""

    rules: Rules
    identity: Identity
    traces: Traces = field(default_factory=Traces)
    texts: list[Text] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def dataset(self, dataset: Dataset, depth: int, encodings: Sequence[str]) -> Elements:
        """The output's elements of a dataset or item. Raises Refusal if there are too many levels or elements."""
        if depth > MAX_DEPTH:
            raise Refusal(Reason.TOO_DEEP)
        encodings = encodings_of(dataset, encodings)
        out: Elements = {}
        for element in dataset.elements():
            self._element(element, dataset, depth, encodings, out)
        if _VALUE in dataset or _MEANING in dataset:
            self._code(dataset, out, encodings)
        if sum(self.counts.values()) > MAX_ELEMENTS:
            raise Refusal(Reason.TOO_LARGE)
        return out

    def _element(
        self,
        element: DataElement | RawDataElement,
        dataset: Dataset,
        depth: int,
        encodings: Sequence[str],
        out: Elements,
    ) -> None:
        tag = int(element.tag)
        group = tag >> 16
        action = Action.REMOVE if depth and tag in TOP_LEVEL_ONLY else self.rules.actions.get(tag)
        if group & 1:
            self._private(element, dataset, depth, encodings, out)
        elif action is None or action is Action.REMOVE:
            self._remember_all(element, dataset, depth, encodings)
            known = tag in VRS or tag in load_table().entries or group & 0xFF00 in (0x5000, 0x6000)
            self.counts["removed" if known else "unknown"] += 1
        elif action is Action.KEEP and element.VR in NUMBERS and VRS.get(tag) in NUMBERS and _is_plain(element):
            # Most of an image's header: numbers that stay as the bytes they are.
            self._put(out, tag, str(element.VR), checked(str(element.VR), element.value or b""), "kept", element)
        else:
            self._known(element, dataset, depth, encodings, out, action)

    def _known(
        self,
        element: DataElement | RawDataElement,
        dataset: Dataset,
        depth: int,
        encodings: Sequence[str],
        out: Elements,
        action: Action,
    ) -> None:
        met = meet(element, dataset, encodings)
        vr = None if met is None else _agreed(int(element.tag), met)
        if met is None or vr is None:
            self._remember_all(element, dataset, depth, encodings)
            self.counts["unreadable"] += 1
            return
        met = met._replace(vr=vr)
        if action is not Action.KEEP:
            self._remember(met)
        if vr == "SQ":
            self._sequence(met, depth, out, action)
        elif action in (Action.KEEP, Action.CLEAN):
            self._keep(met, out, element, action)
        else:
            self._change(met, dataset, out, action)

    def _change(self, met: Met, dataset: Dataset, out: Elements, action: Action) -> None:
        value = stripped(met.value) if met.vr in _STRINGS else met.value
        if action is Action.EMPTY or (not value and action is not Action.DUMMY):
            self._put(out, met.tag, met.vr, b"", "emptied")
        elif met.vr == "UI":
            self._put(out, met.tag, "UI", self.identity.uids(value), "uid")
        elif action is Action.PATIENT:
            name = self.identity.patient_of(met.text if met.tag == 0x00100020 else "", met.text)
            if 0x00100020 in dataset and met.tag != 0x00100020:
                name = self.identity.patient_in(dataset)
            self._put(out, met.tag, met.vr, name.encode(), "pseudonym")
        elif action is Action.DATE and (moved := self._moved(met.vr, value)) is not None:
            self._put(out, met.tag, met.vr, moved, "shifted")
        else:
            self._put(out, met.tag, met.vr, dummy(met.vr), "replaced")

    def _moved(self, vr: str, value: bytes) -> bytes | None:
        days = self.identity.days
        return None if days is None else shifted(vr, value, days)

    def _keep(self, met: Met, out: Elements, element: DataElement | RawDataElement, action: Action) -> None:
        listed = met.tag in load_table().entries
        if met.vr in TEXTS and (listed or action is Action.CLEAN):
            text, value = met.text, met.text.encode()
        else:
            value = stripped(met.value) if met.vr in _STRINGS else met.value
            legal = is_time(value) if met.vr == "TM" else met.vr not in ("PN", "UR", "DA", "DT")
            kept = checked(met.vr, value) if legal else None
            if kept is None:
                return self._refuse_value(met, out)
            text, value = kept.decode("ascii", "replace") if met.vr in _STRINGS else "", kept
        if met.vr == "UI":
            value = self.identity.legal_uids(value)
        if met.tag == _AGE and value[-1:] == b"Y" and value > _OLDEST:
            value = _OLDEST
        same = element if value is met.value and _is_plain(element) else None
        self._put(out, met.tag, met.vr, value, "cleaned" if action is Action.CLEAN else "kept", same)
        if met.vr in _STRINGS and value:
            self.texts.append(Text(out, met.tag, met.vr, text, action is Action.CLEAN))

    def _refuse_value(self, met: Met, out: Elements) -> None:
        # A text that is too strange to stay can be replaced; a number of illegal form must not become another.
        if met.vr in TEXTS:
            self._put(out, met.tag, met.vr, dummy(met.vr), "replaced")
        else:
            self.counts["unreadable"] += 1

    def _sequence(self, met: Met, depth: int, out: Elements, action: Action) -> None:
        items = met.items or ()
        if action in (Action.WALK, Action.CLEAN, Action.KEEP, Action.UID):
            self.counts["kept"] += 1
            walked = [made_dataset(self.dataset(item, depth + 1, met.encodings)) for item in items]
            added(out, made_items(met.tag, walked))
            return
        for item in items:
            self._remember_dataset(item, depth + 1, met.encodings)
        if action is Action.EMPTY or not items:
            self.counts["emptied"] += 1
            added(out, made_items(met.tag, []))
        else:
            self.counts["replaced"] += 1
            item = _removed_content() if met.tag == _CONTENT else self._dummy_item(items[0], depth + 1, met.encodings)
            added(out, made_items(met.tag, [item]))

    def _dummy_item(self, item: Dataset, depth: int, encodings: Sequence[str]) -> Dataset:
        """An item with the attributes of another one, and dummies for all of their values."""
        out: Elements = {}
        for element in item.elements() if depth <= MAX_DEPTH else ():
            tag = int(element.tag)
            if tag not in self.rules.actions or tag in TOP_LEVEL_ONLY:
                continue
            met = meet(element, item, encodings)
            vr = None if met is None else _agreed(tag, met)
            if met is None or vr is None:
                continue
            if vr == "SQ":
                inner = [self._dummy_item(each, depth + 1, met.encodings) for each in (met.items or ())[:1]]
                added(out, made_items(tag, inner))
            else:
                value = self.identity.uids(stripped(met.value)) if vr == "UI" else dummy(vr)
                added(out, made(tag, vr, padded(vr, value)))
        return made_dataset(out)

    def _code(self, item: Dataset, out: Elements, encodings: Sequence[str]) -> None:
        value, scheme = (_text_of(item, tag, encodings) for tag in (_VALUE, _SCHEME))
        term = verified(value, scheme)
        texts = (term.value, term.scheme, term.meaning[:64]) if term else (DUMMY_TEXT.decode(),) * 3
        for tag, text in zip((_VALUE, _SCHEME, _MEANING), texts, strict=True):
            if tag in out:
                added(out, made(tag, str(out[BaseTag(tag)].VR), padded("SH", text.encode())))

    def _private(
        self,
        element: DataElement | RawDataElement,
        dataset: Dataset,
        depth: int,
        encodings: Sequence[str],
        out: Elements,
    ) -> None:
        tag = int(element.tag)
        self._remember_all(element, dataset, depth, encodings)
        creator_tag = tag & 0xFFFF0000 | (tag >> 8 & 0xFF)
        vr, creator = None, ""
        if self.rules.options.safe_private and creator_tag in dataset and tag & 0xFF00:
            creator = _text_of(dataset, creator_tag, encodings)
            vr = safe_private().get((creator, tag >> 16, tag & 0xFF))
        if vr is not None and element.VR in (vr, "UN", None):
            met = meet(element, dataset, encodings)
            value = None if met is None else checked(vr, met.value)
            if value is not None:
                self._put(out, creator_tag, "LO", creator.encode(), "kept")
                return self._put(out, tag, vr, value, "kept")
        self.counts["private"] += 1

    def _put(
        self,
        out: Elements,
        tag: int,
        vr: str,
        value: bytes | None,
        kind: str,
        same: DataElement | RawDataElement | None = None,
    ) -> None:
        if value is None:
            self.counts["unreadable"] += 1
            return
        self.counts[kind] += 1
        added(out, made(tag, vr, padded(vr, value)) if same is None or len(value) % 2 else same)

    def _remember(self, met: Met) -> None:
        kind = kind_of(met.tag, met.vr)
        if kind == "name":
            self.traces.add_name(met.text)
        elif kind:
            self.traces.add_identifier(met.text)

    def _remember_all(
        self, element: DataElement | RawDataElement, dataset: Dataset, depth: int, encodings: Sequence[str]
    ) -> None:
        tag = int(element.tag)
        vr = element.VR or VRS.get(tag, "")
        if vr == "SQ" or VRS.get(tag) == "SQ" or kind_of(tag, vr):
            met = meet(element, dataset, encodings)
            if met is not None:
                self._remember(met)
                for item in met.items or ():
                    self._remember_dataset(item, depth + 1, met.encodings)

    def _remember_dataset(self, dataset: Dataset, depth: int, encodings: Sequence[str]) -> None:
        if depth > MAX_DEPTH:
            raise Refusal(Reason.TOO_DEEP)
        encodings = encodings_of(dataset, encodings)
        for element in dataset.elements():
            self._remember_all(element, dataset, depth, encodings)


def _is_plain(element: DataElement | RawDataElement) -> bool:
    return isinstance(element, RawDataElement) and element.is_little_endian and not element.is_implicit_VR


def _agreed(tag: int, met: Met) -> str | None:
    """The VR under which an element is handled: the dictionary's, unless what was met can't be read so (None)."""
    expected = VRS.get(tag) or load_table().entries[tag].vr or met.vr
    if met.vr in expected.split(" or "):
        return met.vr
    if (expected == "SQ") != (met.vr == "SQ"):
        return None
    if met.vr in NUMBERS and expected in NUMBERS:
        return met.vr
    if met.vr in _STRINGS and expected in _STRINGS:
        return expected
    # Bytes for bytes, such as OB for OW.
    return met.vr if met.vr.startswith("O") and expected.startswith("O") else None


def _text_of(dataset: Dataset, tag: int, encodings: Sequence[str]) -> str:
    met = meet(dataset.get_item(tag), dataset, encodings) if tag in dataset else None
    return "" if met is None else met.text


def _removed_content() -> Dataset:
    """A content item that says that content was removed (PS3.3 C.17.3; the concept is DCM 121106, Comment)."""
    concept = ((_VALUE, "SH", b"121106"), (_SCHEME, "SH", b"DCM "), (_MEANING, "LO", b"Comment "))
    name = made_items(0x0040A043, [made_dataset(added({}, *(made(*each) for each in concept)))])
    texts = ((0x0040A010, "CS", b"CONTAINS"), (0x0040A040, "CS", b"TEXT"), (0x0040A160, "UT", b"REMOVED "))
    return made_dataset(added({}, name, *(made(*text) for text in texts)))
