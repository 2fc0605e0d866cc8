"""The walk: every element of an object, at every depth, gets its action; nothing is taken over that has none.

    element ─ private? overlay? unknown? ─ removed
            └ action of the table or of the policy ─ output ─ texts that stay (`sweep`)

Texts that stay are only noted here: whether one holds a trace of a person is known when all has been seen.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from wardround.imaging.deid.codes import verified
from wardround.imaging.deid.dates import is_time, shifted
from wardround.imaging.deid.dummies import dummy_item
from wardround.imaging.deid.elements import (
    MAX_DEPTH,
    STRINGS,
    Elements,
    Met,
    added,
    agreed,
    encodings_of,
    is_plain,
    made,
    made_dataset,
    made_items,
    meet,
    text_at,
)
from wardround.imaging.deid.icc import without_texts
from wardround.imaging.deid.identity import Identity
from wardround.imaging.deid.memory import remember, remember_dataset, remember_element
from wardround.imaging.deid.needed import valid_action
from wardround.imaging.deid.policy import NUMBERS, TEXTS, TOP_LEVEL_ONLY, VRS, Action
from wardround.imaging.deid.private import safe_creator
from wardround.imaging.deid.rules import Rules
from wardround.imaging.deid.table import load_table
from wardround.imaging.deid.traces import Traces
from wardround.imaging.deid.values import DUMMY_TEXT, checked, dummy, padded, stripped
from wardround.imaging.reasons import Reason, Refusal

MAX_ELEMENTS = 2_000_000

_VALUE, _SCHEME, _MEANING, _AGE = 0x00080100, 0x00080102, 0x00080104, 0x00101010
_UNDEFINED = 0xFFFFFFFF
# Ages of 90 and more are few enough to name a person; they become 90.
_OLDEST = b"090Y"
_SEQUENCE_WALKED = frozenset({Action.WALK, Action.CLEAN, Action.KEEP, Action.UID})


class Text(NamedTuple):
    """A text that stays in the output unless a trace is found: where it stands, and whether it is to be cleaned."""

    elements: Elements
    tag: int
    vr: str
    text: str
    cleaned: bool = False


class _Level(NamedTuple):
    """A dataset or item on the walk: what it is made from, its depth (0: the object), and what it becomes.

    inside: the sequence that it is an item of, 0 for the object.
    """

    source: Dataset
    depth: int
    encodings: Sequence[str]
    out: Elements
    inside: int = 0


class Walk:
    """One walk over one object, and what it gathers: `traces`, `texts` that stay, and `counts` of actions."""

    def __init__(self, rules: Rules, identity: Identity) -> None:
        self.identity = identity
        self.traces = Traces()
        self.texts: list[Text] = []
        self.counts: Counter[str] = Counter()
        self._rules = rules
        self._listed = load_table().entries
        self._met = 0

    def dataset(self, dataset: Dataset, depth: int, encodings: Sequence[str], inside: int = 0) -> Elements:
        """The output's elements of a dataset or item. Raises Refusal if there are too many levels or elements."""
        self._met += len(dataset)
        if depth > MAX_DEPTH:
            raise Refusal(Reason.TOO_DEEP)
        if self._met > MAX_ELEMENTS:
            raise Refusal(Reason.TOO_LARGE)
        level = _Level(dataset, depth, encodings_of(dataset, encodings), {}, inside)
        for element in dataset.elements():
            self._element(element, level)
        if _VALUE in dataset or _MEANING in dataset:
            self._code(level)
        return level.out

    def _element(self, element: DataElement | RawDataElement, level: _Level) -> None:
        tag = int(element.tag)
        if isinstance(element, RawDataElement) and len(element.value or b"") < element.length < _UNDEFINED:
            raise Refusal(Reason.TRUNCATED)
        action = valid_action(level.inside, tag, self._rules.actions.get(tag))
        if tag >> 16 & 1:
            self._private(element, level)
        elif action is None or (level.depth and tag in TOP_LEVEL_ONLY):
            known = tag in VRS or tag in self._listed or tag >> 24 in (0x50, 0x60)
            self._drop(element, level, "removed" if known else "unknown")
        elif (
            action is Action.KEEP and element.VR in NUMBERS and VRS.get(tag) in NUMBERS and is_plain(element)
        ):
            # Most of an image's header: numbers that stay the bytes they are.
            vr = str(element.VR)
            self._put(level.out, tag, vr, checked(vr, element.value or b""), "kept", element)
        else:
            self._known(element, level, action)

    def _known(self, element: DataElement | RawDataElement, level: _Level, action: Action) -> None:
        met = meet(element, level.source, level.encodings)
        vr = None if met is None else agreed(int(element.tag), met)
        if met is None or vr is None:
            return self._drop(element, level, "unreadable")
        met = met._replace(vr=vr)
        if action is not Action.KEEP:
            remember(self.traces, met)
        if vr == "SQ":
            self._sequence(met, level, action)
        elif action is Action.COLOUR:
            self._put(level.out, met.tag, "OB", without_texts(met.value), "cleaned")
        elif action in (Action.KEEP, Action.CLEAN):
            self._keep(met, level.out, element, action)
        else:
            self._change(met, level, action)

    def _change(self, met: Met, level: _Level, action: Action) -> None:
        value = stripped(met.value) if met.vr in STRINGS else met.value
        if action is Action.EMPTY or (not value and action is not Action.DUMMY):
            value, kind = b"", "emptied"
        elif met.vr == "UI":
            value, kind = self.identity.uids(value), "uid"
        elif action is Action.PATIENT:
            value, kind = self.identity.patient_in(level.source).encode(), "pseudonym"
        elif action is Action.DATE and (moved := self._moved(met.vr, value)) is not None:
            value, kind = moved, "shifted"
        else:
            value, kind = dummy(met.vr), "replaced"
        self._put(level.out, met.tag, met.vr, value, kind)

    def _moved(self, vr: str, value: bytes) -> bytes | None:
        days = self.identity.days
        return None if days is None else shifted(vr, value, days)

    def _keep(self, met: Met, out: Elements, element: DataElement | RawDataElement, action: Action) -> None:
        text = self._kept_text(met, action)
        if text is None:
            # A text that is too strange to stay can be replaced; a number must not become another.
            return self._put(out, met.tag, met.vr, dummy(met.vr) if met.vr in TEXTS else None, "replaced")
        if met.vr not in STRINGS:
            return self._put(out, met.tag, met.vr, met.value, "kept", element if is_plain(element) else None)
        value = text.encode()
        if met.vr == "UI":
            value = self.identity.legal_uids(value)
        elif met.tag == _AGE and value[-1:] == b"Y":
            value = min(value, _OLDEST)
        self._put(out, met.tag, met.vr, value, "cleaned" if action is Action.CLEAN else "kept")
        if value:
            self.texts.append(Text(out, met.tag, met.vr, text, action is Action.CLEAN))

    def _kept_text(self, met: Met, action: Action) -> str | None:
        """What stays of a value, as text ("" for bytes and numbers), or None if nothing may."""
        if met.vr in TEXTS and (met.tag in self._listed or action is Action.CLEAN):
            return met.text
        if met.vr in ("PN", "UR", "DA", "DT"):
            return None
        value = stripped(met.value) if met.vr in STRINGS else met.value
        kept = checked(met.vr, value)
        if kept is None or (met.vr == "TM" and not is_time(value)):
            return None
        return kept.decode("ascii", "replace") if met.vr in STRINGS else ""

    def _sequence(self, met: Met, level: _Level, action: Action) -> None:
        items = met.items or ()
        below = level.depth + 1
        if action in _SEQUENCE_WALKED:
            self.counts["kept"] += 1
            outs = [made_dataset(self.dataset(item, below, met.encodings, met.tag)) for item in items]
        else:
            for item in items:
                remember_dataset(self.traces, item, below, met.encodings)
            keep = bool(items) and action is not Action.EMPTY
            self.counts["replaced" if keep else "emptied"] += 1
            use = (self._rules, self.identity)
            outs = [dummy_item(met.tag, items, met.encodings, use)] if keep else []
        added(level.out, made_items(met.tag, outs))

    def _code(self, level: _Level) -> None:
        """A coded term (PS3.3 8.8) stays if the dictionary knows it, with the dictionary's meaning."""
        value, scheme = (text_at(level.source, tag, level.encodings) for tag in (_VALUE, _SCHEME))
        term = verified(value, scheme)
        texts = (term.value, term.scheme, term.meaning) if term else (DUMMY_TEXT.decode(),) * 3
        for tag, text in zip((_VALUE, _SCHEME, _MEANING), texts, strict=True):
            if tag in level.out:
                vr = str(level.out[BaseTag(tag)].VR)
                added(level.out, made(tag, vr, padded(vr, text.encode()[:64])))

    def _private(self, element: DataElement | RawDataElement, level: _Level) -> None:
        tag = int(element.tag)
        safe = None
        if self._rules.options.safe_private:
            safe = safe_creator(level.source, tag, level.encodings)
        if safe is not None and element.VR in (safe.vr, "UN", None):
            met = meet(element, level.source, level.encodings)
            value = None if met is None else checked(safe.vr, met.value)
            if value is not None:
                self._put(level.out, safe.creator_tag, "LO", safe.creator.encode(), "kept")
                return self._put(level.out, tag, safe.vr, value, "kept")
        self._drop(element, level, "private")

    def _drop(self, element: DataElement | RawDataElement, level: _Level, kind: str) -> None:
        remember_element(self.traces, element, level.source, level.depth, level.encodings)
        self.counts[kind] += 1

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
