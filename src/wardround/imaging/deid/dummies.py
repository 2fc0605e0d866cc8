"""Dummies for sequences: an item with the attributes of another one and none of its values."""

from collections.abc import Sequence

from pydicom.dataset import Dataset

from wardround.imaging.deid.elements import (
    MAX_DEPTH,
    Elements,
    added,
    agreed,
    made,
    made_dataset,
    made_items,
    meet,
)
from wardround.imaging.deid.identity import Identity
from wardround.imaging.deid.policy import TOP_LEVEL_ONLY
from wardround.imaging.deid.rules import Rules
from wardround.imaging.deid.values import dummy, padded, stripped

CONTENT = 0x0040A730


def dummy_item(
    tag: int, items: Sequence[Dataset], encodings: Sequence[str], use: tuple[Rules, Identity]
) -> Dataset:
    """An item that may stand for the items of a sequence; a report's content becomes one item that says so."""
    return removed_content() if tag == CONTENT else _dummied(items[0], 0, encodings, *use)


def removed_content() -> Dataset:
    """A content item of type TEXT (PS3.3 C.17.3) whose concept is DCM 121106, Comment, and whose text is REMOVED."""
    concept = ((0x00080100, "SH", b"121106"), (0x00080102, "SH", b"DCM "), (0x00080104, "LO", b"Comment "))
    name = made_items(0x0040A043, [made_dataset(added({}, *(made(*each) for each in concept)))])
    texts = ((0x0040A010, "CS", b"CONTAINS"), (0x0040A040, "CS", b"TEXT"), (0x0040A160, "UT", b"REMOVED "))
    return made_dataset(added({}, name, *(made(*text) for text in texts)))


def _dummied(
    item: Dataset, depth: int, encodings: Sequence[str], rules: Rules, identity: Identity
) -> Dataset:
    out: Elements = {}
    for element in item.elements() if depth <= MAX_DEPTH else ():
        tag = int(element.tag)
        met = meet(element, item, encodings) if tag in rules.actions and tag not in TOP_LEVEL_ONLY else None
        vr = None if met is None else agreed(tag, met)
        if met is None or vr is None:
            continue
        if vr == "SQ":
            below = (met.items or ())[:1]
            inner = [_dummied(each, depth + 1, met.encodings, rules, identity) for each in below]
            added(out, made_items(tag, inner))
        else:
            value = identity.uids(stripped(met.value)) if vr == "UI" else dummy(vr)
            added(out, made(tag, vr, padded(vr, value)))
    return made_dataset(out)
