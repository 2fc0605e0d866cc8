"""Every parser of bytes that another party wrote, with honest bytes to begin from: what fuzzing tries.

A parser may return, or refuse with an error of ours. Any other exception is a fault, and so is a crash.
"""

import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
from pydicom.data import get_testdata_file

from hostile.graph_vehicles import HONEST
from wardround.errors import RefusedError
from wardround.exchange.envelope import Binding, SigningKey, open_envelope, seal
from wardround.exchange.messages import JoinMessage, OutcomeMessage, RoundMessage, RunMessage, UpdateMessage
from wardround.exchange.tensors import TensorSpec, decode, encode
from wardround.imaging.labels import read_labels
from wardround.imaging.reading.grey import stack_of
from wardround.imaging.reading.header import read_object
from wardround.imaging.sources.multipart import boundary_of, parts
from wardround.plan.format import parse_manifest
from wardround.plan.reviewed_graph import review_graph
from wardround.recipe.reader import parse_recipe

_KEY = SigningKey.generate()
_BINDING = Binding(federation="ward", run="r", round=1, plan_digest="a" * 64)
_SPEC = {"train/w": TensorSpec((2, 3), "float32"), "n": TensorSpec((), "int64")}
_MESSAGES = (JoinMessage, OutcomeMessage, RoundMessage, RunMessage, UpdateMessage)
_MOST_PIXELS = 1 << 22
RECIPE = b"""
name: tiny
task: {labels: [normal, opacity], image: {modality: [DX], size: [8, 8]}}
model: {builtin: logistic}
algorithm: {client: {learning_rate: 0.1, batch_size: 8}}
rounds: {count: 2, quorum: 2, deadline: 60s}
"""
LABELS = b'accession,label\n"A-1",normal\nA-2,opacity\n'
MULTIPART = b"--b\r\nContent-Type: application/dicom\r\n\r\nabc\r\n--b\r\n\r\ndef\r\n--b--\r\n"


@dataclass(frozen=True)
class Parser:
    """`parse` is given bytes; `seeds` are bytes that it takes, from which others are made."""

    parse: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]


def _sealed() -> bytes:
    return seal("join", {"a": [1, "x", None, {"b": 0.5}]}, binding=_BINDING, key=_KEY, signer="alder")


def _envelope(data: bytes) -> object:
    return open_envelope(data, kind="join", binding=_BINDING, signer="alder", public_key=_KEY.public)


def _message(data: bytes) -> object:
    """A payload of the signer's own making: it passes the signature, so the message has to stand it."""
    try:
        payload = json.loads(data)
        sealed = seal("join", payload, binding=_BINDING, key=_KEY, signer="alder")
    except Exception:  # not one that anybody could sign: nothing to open
        return None
    opened = open_envelope(sealed, kind="join", binding=_BINDING, signer="alder", public_key=_KEY.public)
    read = 0
    for model in _MESSAGES:
        try:
            opened.read(model)
            read += 1
        except RefusedError:
            continue
    return read


def _payloads() -> list[bytes]:
    join = JoinMessage(approved="a" * 64, public_key=_KEY.public.text, examples={"train": 3})
    opened = RoundMessage(purpose="train", model=0, cohort=("alder",))
    return [join.model_dump_json().encode(), opened.model_dump_json().encode()]


def _table(data: bytes) -> object:
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        Path(file.name).write_bytes(data)
        return read_labels(Path(file.name), ["normal", "opacity"])


def _dicom(data: bytes) -> object:
    with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
        Path(file.name).write_bytes(data)
        return stack_of(read_object(Path(file.name), _MOST_PIXELS), _MOST_PIXELS)


@cache
def _images() -> tuple[bytes, ...]:
    """Small objects of pydicom's own, and one without compression that is made here."""
    names = ("CT_small.dcm", "MR_small_RLE.dcm")
    found = [Path(path).read_bytes() for name in names if (path := get_testdata_file(name, download=False))]
    dataset = pydicom.dcmread(BytesIO(found[0]))
    dataset.Rows = dataset.Columns = 4
    dataset.PixelData = np.arange(16, dtype=np.uint16).tobytes()
    small = BytesIO()
    dataset.save_as(small)
    return (*found, small.getvalue())


PARSERS: dict[str, Parser] = {
    "graph": Parser(lambda data: review_graph("graphs/work.pb", data, ("x", "out")), lambda: [HONEST]),
    "manifest": Parser(parse_manifest, lambda: [b'{"format":2,"recipe":{},"train":{}}']),
    "envelope": Parser(_envelope, lambda: [_sealed()]),
    "message": Parser(_message, _payloads),
    "tensors": Parser(
        lambda data: decode(data, _SPEC),
        lambda: [encode({"train/w": np.ones((2, 3), np.float32), "n": np.asarray(3, np.int64)})],
    ),
    "recipe": Parser(lambda data: parse_recipe(data.decode("utf-8", "replace")), lambda: [RECIPE]),
    "label table": Parser(_table, lambda: [LABELS]),
    "DICOM object": Parser(_dicom, lambda: list(_images())),
    "multipart answer": Parser(
        lambda data: [b"".join(each) for each in parts([data[:20], data[20:]], b"b")], lambda: [MULTIPART]
    ),
    "multipart boundary": Parser(
        lambda data: boundary_of(data.decode("latin-1")), lambda: [b'multipart/related; boundary="b"']
    ),
}
