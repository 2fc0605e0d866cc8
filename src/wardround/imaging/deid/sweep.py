"""The second pass: no text stays in which a trace of a person is found; free text keeps known words only."""

from collections import Counter
from collections.abc import Sequence

from pydicom.tag import BaseTag

from wardround.imaging.deid.elements import added, made
from wardround.imaging.deid.identity import Identity
from wardround.imaging.deid.policy import NUMBER_STRINGS, Action
from wardround.imaging.deid.table import load_table
from wardround.imaging.deid.traces import Traces, cleaned
from wardround.imaging.deid.values import dummy, padded
from wardround.imaging.deid.walk import Text
from wardround.imaging.deid.words import words

# Values that the pixels cannot be read without; they are kept only if they are of the standard's own terms.
_TERMS = {
    0x00080060: words("CR CT DX ES GM IO MG MR NM OP OPT OT PT PX RF RG SC SM SR US XA XC KO PR SEG"),
    0x00280004: words(
        "MONOCHROME1 MONOCHROME2 RGB YBR_FULL YBR_FULL_422 YBR_RCT YBR_ICT YBR_PARTIAL_420 YBR_PARTIAL_422"
    )
    | {"PALETTE COLOR"},
}


def sweep(texts: Sequence[Text], traces: Traces, identity: Identity, counts: Counter[str]) -> None:
    """Replaces what holds a trace in the walk's output: text by a dummy, UIDs by mapped ones, numbers by none."""
    seen: dict[tuple[str, str], bool] = {}
    for text in texts:
        if text.cleaned:
            _clean(text, traces)
            continue
        if text.text in _TERMS.get(text.tag, ()):
            continue
        known = (text.vr, text.text)
        if known not in seen:
            seen[known] = _holds_trace(text, traces)
        if seen[known]:
            counts["kept"] -= 1
            counts["swept"] += 1
            _replace(text, traces, identity)


def _holds_trace(text: Text, traces: Traces) -> bool:
    if text.vr in NUMBER_STRINGS:
        return any(traces.is_one(part.strip()) for part in text.text.split("\\"))
    if text.vr == "UI":
        return any(traces.is_one(part) for part in text.text.replace("\\", ".").split("."))
    return traces.found_in(text.text)


def _replace(text: Text, traces: Traces, identity: Identity) -> None:
    if text.vr in NUMBER_STRINGS:
        del text.elements[BaseTag(text.tag)]
        return
    if text.vr == "UI":
        value = identity.uids(text.text.encode())
    elif text.vr == "CS":
        value = b"\\".join(_without_trace(part, traces) for part in text.text.split("\\"))
    else:
        value = dummy(text.vr)
    added(text.elements, made(text.tag, text.vr, padded(text.vr, value)))


def _without_trace(part: str, traces: Traces) -> bytes:
    return dummy("CS") if traces.found_in(part) else part.encode()


def _clean(text: Text, traces: Traces) -> None:
    value = cleaned(text.text, traces).encode()
    entry = load_table().entries[text.tag]
    limit = {"SH": 16, "LO": 64}.get(text.vr, 1024)
    while len(value) > limit:
        value = value[: value.rfind(b" ")] if b" " in value else b""
    if value:
        added(text.elements, made(text.tag, text.vr, padded(text.vr, value)))
    elif entry.basic == Action.REMOVE:
        del text.elements[BaseTag(text.tag)]
    else:
        added(text.elements, made(text.tag, text.vr, padded(text.vr, dummy(text.vr))))
