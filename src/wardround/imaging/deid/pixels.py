"""What can hide in Pixel Data besides pixels: bytes after the last one, and overlays in bits that pixels leave free.

Pixels themselves are not touched, so text that is burned into them stays.
"""

import numpy as np
from pydicom.dataset import Dataset

from wardround.imaging.reasons import Reason, Refusal

_OVERLAYS = range(0x6000, 0x6020, 2)
_HALF = {"YBR_FULL_422": 2 / 3, "YBR_PARTIAL_422": 2 / 3, "YBR_PARTIAL_420": 1 / 2}


def plain_pixels(dataset: Dataset, value: bytes, *, encapsulated: bool, swapped: bool) -> bytes:
    """The bytes of Pixel Data (7FE0,0010), little endian, without what does not belong to the image.

    swapped: the value is of big-endian words (pixels of 8 bits lie in words of 16 then, PS3.5 8.1.1).
    Raises Refusal if an overlay lies in compressed pixels, where it can't be cut out.
    """
    overlaid = any(_embedded(dataset, group) for group in _OVERLAYS)
    if encapsulated:
        if overlaid:
            raise Refusal(Reason.OVERLAY)
        return value
    bits = _number(dataset, 0x00280100, 8)
    if swapped:
        value = _words(value, bits).byteswap().tobytes()
    value = value[: _length(dataset, bits) or len(value)]
    if overlaid and bits == 16:
        value = _without_overlay(dataset, value)
    return value + b"\0" * (len(value) % 2)


def _embedded(dataset: Dataset, group: int) -> bool:
    # PS3.3 C.9.2: without Overlay Data the overlay's bit is Overlay Bit Position of each pixel.
    return group << 16 | 0x0102 in dataset and group << 16 | 0x3000 not in dataset


def _length(dataset: Dataset, bits: int) -> int:
    rows, columns = _number(dataset, 0x00280010, 0), _number(dataset, 0x00280011, 0)
    samples, frames = _number(dataset, 0x00280002, 1), _number(dataset, 0x00280008, 1)
    photometric = dataset.get("PhotometricInterpretation")
    count = rows * columns * samples * max(frames, 1)
    return int(-(-count * bits // 8) * _HALF.get(str(photometric), 1))


def _without_overlay(dataset: Dataset, value: bytes) -> bytes:
    stored = _number(dataset, 0x00280101, 16)
    shift = 16 - 1 - _number(dataset, 0x00280102, stored - 1)
    signed = _number(dataset, 0x00280103, 0) == 1
    if not 0 < stored <= 16 or not 0 <= shift <= 16 - stored:
        raise Refusal(Reason.OVERLAY)
    pixels = np.frombuffer(value[: len(value) // 2 * 2], "<i2" if signed else "<u2")
    # The value's bits go to the top, which pushes out what is above them, and back, which fills up with the sign.
    low = 16 - stored
    return (((pixels << shift) >> low) << (low - shift)).astype(pixels.dtype).tobytes()


def _words(value: bytes, bits: int) -> np.ndarray:
    width = 4 if bits == 32 else 8 if bits == 64 else 2
    return np.frombuffer(value[: len(value) // width * width], f"<u{width}")


def _number(dataset: Dataset, tag: int, default: int) -> int:
    try:
        value = dataset[tag].value if tag in dataset else default
        return default if value is None else int(value)
    except (TypeError, ValueError) as error:
        raise Refusal(Reason.DAMAGED_HEADER) from error
