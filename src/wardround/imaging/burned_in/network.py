"""The networks that find lines of text and read them: PP-OCRv6, as the wheel of RapidOCR carries them.

They are opened as files of that wheel and run by ONNX Runtime alone, so nothing is ever fetched, and a worker
process uses one thread: the cores are shared by the workers. A process opens each network once, when it is needed.
"""

from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import onnxruntime

from wardround.errors import ConfigurationError

_FINDER, _READER = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
# The finder's feature maps are a 32nd of its input.
_STRIDE = 32
# Differentiable binarisation (Liao et al. 2020): where a pixel is text, what makes a line, how far lines are shrunk.
_PIXEL, _LINE, _SHRUNK = 0.3, 0.5, 1.6
_SMALLEST = 3
_READ_HEIGHT, _READ_WIDTH = 48, 640


class Line(NamedTuple):
    """A line of text: left, top, right, bottom in pixels of the picture, and how sure the network is (0 to 1)."""

    left: float
    top: float
    right: float
    bottom: float
    score: float


class Reading(NamedTuple):
    """What a line says, and how sure the network is of its letters (0 to 1)."""

    text: str
    score: float


def find_lines(channels: np.ndarray) -> list[Line]:
    """Lines of text in a picture, float32 [3, rows, columns] in [0, 1]."""
    rows, columns = channels.shape[1:]
    height, width = (max(_STRIDE, -(-side // _STRIDE) * _STRIDE) for side in (rows, columns))
    padded = np.zeros((1, 3, height, width), np.float32)
    padded[0, :, :rows, :columns] = channels
    shares = _session(_FINDER).run(None, {"x": padded * 2 - 1})[0][0, 0, :rows, :columns]
    return _lines(shares)


def readings(grey: np.ndarray) -> Iterator[Reading]:
    """What a strip of a picture may say, uint8 [rows, columns]: as it is, turned by half, and mirrored.

    Films lie upside down or are seen from behind. An upright strip is laid down first.
    """
    lying = np.rot90(grey) if grey.shape[0] > 1.5 * grey.shape[1] else grey
    for way in (lying, lying[::-1, ::-1], lying[:, ::-1], lying[::-1]):
        yield _read(way)


def _lines(shares: np.ndarray) -> list[Line]:
    rows, columns = shares.shape
    count, places, boxes, _ = cv2.connectedComponentsWithStats((shares > _PIXEL).astype(np.uint8))
    found = []
    for place in range(1, count):
        left, top, width, height, area = (int(part) for part in boxes[place])
        if min(width, height) < _SMALLEST:
            continue
        part = np.s_[top : top + height, left : left + width]
        score = float(shares[part][places[part] == place].mean())
        if score >= _LINE:
            grow = area * _SHRUNK / (2 * (width + height))
            edges = max(0.0, left - grow), max(0.0, top - grow)
            found.append(
                Line(*edges, min(columns, left + width + grow), min(rows, top + height + grow), score)
            )
    return found


def _read(grey: np.ndarray) -> Reading:
    rows, columns = grey.shape
    width = int(np.clip(round(_READ_HEIGHT * columns / rows), 16, _READ_WIDTH))
    strip = cv2.resize(np.ascontiguousarray(grey), (width, _READ_HEIGHT), interpolation=cv2.INTER_CUBIC)
    planes = np.repeat(strip[np.newaxis, np.newaxis].astype(np.float32) / 127.5 - 1, 3, axis=1)
    shares = _session(_READER).run(None, {"x": planes})[0][0]
    best, sure = shares.argmax(1), shares.max(1)
    # Connectionist temporal classification: 0 is blank, and a letter counts once however long it lasts.
    kept = (best > 0) & np.concatenate(([True], best[1:] != best[:-1]))
    letters = _letters()
    text = "".join(letters[index] for index in best[kept])
    return Reading(text, float(sure[kept].mean()) if kept.any() else 0.0)


@lru_cache(maxsize=1)
def _letters() -> tuple[str, ...]:
    listed = _session(_READER).get_modelmeta().custom_metadata_map["character"].splitlines()
    return ("", *listed, " ")


@lru_cache(maxsize=2)
def _session(name: str) -> onnxruntime.InferenceSession:
    spec = find_spec("rapidocr")
    folders = spec.submodule_search_locations if spec else None
    path = Path(next(iter(folders or ()), "")) / "models" / name
    if not path.is_file():
        raise ConfigurationError(f"the text detector's network {name} is missing; install rapidocr as locked")
    cv2.setNumThreads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Pictures differ in size: an arena would keep the memory of the largest one of each.
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
