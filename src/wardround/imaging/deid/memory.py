"""Remembering: names and identifiers of an object become traces, also those in what is removed unread otherwise."""

from collections.abc import Sequence

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset

from wardround.imaging.deid.elements import MAX_DEPTH, Met, encodings_of, meet
from wardround.imaging.deid.policy import VRS
from wardround.imaging.deid.traces import Traces, kind_of
from wardround.imaging.reasons import Reason, Refusal


def remember(traces: Traces, met: Met) -> None:
    """Adds what an element says about someone, if it does."""
    kind = kind_of(met.tag, met.vr)
    if kind == "name":
        traces.add_name(met.text)
    elif kind:
        traces.add_identifier(met.text)


def remember_element(
    traces: Traces,
    element: DataElement | RawDataElement,
    dataset: Dataset,
    depth: int,
    encodings: Sequence[str],
) -> None:
    """Adds what an element and all below it say, private ones of known VR included. Raises Refusal (too deep)."""
    tag = int(element.tag)
    vr = element.VR or VRS.get(tag, "")
    if vr != "SQ" and VRS.get(tag) != "SQ" and not kind_of(tag, vr):
        return
    met = meet(element, dataset, encodings)
    if met is not None:
        remember(traces, met)
        for item in met.items or ():
            remember_dataset(traces, item, depth + 1, met.encodings)


def remember_dataset(traces: Traces, dataset: Dataset, depth: int, encodings: Sequence[str]) -> None:
    """Adds what a dataset or item and all below it say. Raises Refusal (too deep)."""
    if depth > MAX_DEPTH:
        raise Refusal(Reason.TOO_DEEP)
    encodings = encodings_of(dataset, encodings)
    for element in dataset.elements():
        remember_element(traces, element, dataset, depth, encodings)
