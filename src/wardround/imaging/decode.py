"""The second pass: an item's files become one array [H, W, 1] or [D, H, W, 1].

A chain of small steps; steps that look at the picture or remove from it belong between reading and resampling.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from wardround.imaging.header import quiet
from wardround.imaging.pixels import (
    Grey,
    finished,
    has_contrast,
    pixel_spacing,
    quantised,
    read_grey,
    read_stack,
    stretched,
    to_unit,
    windowed,
)
from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.resize import fit, fit_volume
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.volumes import canonical, place_of, slice_order

Decode = Callable[[Sequence[Path], IntakeSettings], np.ndarray]


def decode_item(paths: Sequence[Path], settings: IntakeSettings) -> np.ndarray:
    """Decodes an item: uint8 or uint16 [*settings.size, 1]. Raises Refusal."""
    decode = _decode_volume if settings.is_volume else _decode_image
    try:
        with quiet():
            unit = decode(paths, settings)
    except Refusal:
        raise
    except MemoryError as error:
        raise Refusal(Reason.TOO_LARGE) from error
    # Elements of the wrong type or length surface as any of these; their texts may quote the file.
    except (TypeError, ValueError, AttributeError, KeyError, IndexError, OverflowError) as error:
        raise Refusal(Reason.DAMAGED_HEADER) from error
    return quantised(unit, settings.bits)[..., np.newaxis]


def _decode_image(paths: Sequence[Path], settings: IntakeSettings) -> np.ndarray:
    stack = read_stack(paths[0], settings.max_bytes)
    if stack.frames > 1 and settings.frames == "refuse":
        raise Refusal(Reason.MULTI_FRAME)
    grey = stack.grey(stack.frames // 2)
    height, width = settings.size
    return fit(to_unit(grey), (height, width), pixel_spacing(grey.header))


def _decode_volume(paths: Sequence[Path], settings: IntakeSettings) -> np.ndarray:
    slices = _read_slices(paths, settings)
    places = [place_of(grey.header) for grey in slices]
    slices = [slices[index] for index in slice_order(places, settings.min_slices)]
    unit, spacing = _unit_volume(slices), pixel_spacing(slices[0].header)
    if places[0].orientation:
        unit, spacing = canonical(unit, spacing, places[0].orientation)
    depth, height, width = settings.size
    return fit_volume(unit, (depth, height, width), spacing)


def _read_slices(paths: Sequence[Path], settings: IntakeSettings) -> list[Grey]:
    slices, left = [], settings.max_bytes
    for path in paths:
        grey = read_grey(path, settings.max_bytes)
        left -= grey.values.nbytes
        if left < 0:
            raise Refusal(Reason.TOO_LARGE)
        slices.append(grey)
    return slices


def _unit_volume(slices: Sequence[Grey]) -> np.ndarray:
    # One grey scale for the whole volume: the window if all slices share it (CT), else percentiles (MR).
    values = np.stack([grey.values for grey in slices])
    valid = np.stack([grey.valid for grey in slices])
    unit = windowed(values, slices[0].header) if _share_window(slices) else None
    if unit is None or not has_contrast(unit, valid):
        unit = stretched(values, valid)
    return finished(unit, valid, inverted=slices[0].inverted)


def _share_window(slices: Sequence[Grey]) -> bool:
    keywords = ("WindowCenter", "WindowWidth", "VOILUTFunction", "RescaleSlope", "RescaleIntercept")
    scales = {tuple(str(grey.header.get(word)) for word in keywords) for grey in slices}
    return len(scales) == 1 and not any(grey.header.get("VOILUTSequence") for grey in slices)
