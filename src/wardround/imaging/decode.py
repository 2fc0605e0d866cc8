"""The second pass: an item's files become one array [H, W, 1] or [D, H, W, 1].

A chain of small steps; steps that look at the picture or remove from it belong between reading and resampling.
"""

from collections.abc import Sequence

import numpy as np

from wardround.errors import WardroundError
from wardround.imaging.gate import GATE_TAGS, ItemGate
from wardround.imaging.reading.files import Openable
from wardround.imaging.reading.header import quiet
from wardround.imaging.reading.pixels import pixel_spacing, quantised, read_stack, to_unit
from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.resize import fit
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.volumes.layout import Layout
from wardround.imaging.volumes.volume import read_volume


def decode_item(
    paths: Sequence[Openable],
    settings: IntakeSettings,
    layout: Layout | None = None,
    gate: ItemGate | None = None,
) -> np.ndarray:
    """Decodes an image, or a stack of slices, that passes the gate: uint8 or uint16 [*settings.size, 1].

    Raises Refusal.
    """
    try:
        with quiet():
            unit = (
                read_volume(paths, layout, settings, gate).values
                if layout
                else _image(paths[0], settings, gate)
            )
    except WardroundError:
        raise
    except MemoryError as error:
        raise Refusal(Reason.TOO_LARGE) from error
    # What lies in sequences is converted when it is looked at, and surfaces as anything; its text may quote the file.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # not the file's: of the disk on which quarantine lies
        raise Refusal(Reason.DAMAGED_HEADER) from error
    return quantised(unit, settings.bits)[..., np.newaxis]


def _image(file: Openable, settings: IntakeSettings, gate: ItemGate | None) -> np.ndarray:
    stack = read_stack(file, settings.max_bytes, GATE_TAGS if gate else ())
    if stack.frames > 1 and settings.frames == "refuse":
        raise Refusal(Reason.MULTI_FRAME)
    grey = stack.grey(stack.frames // 2)
    if gate:
        grey = gate.image(grey)
    height, width = settings.size
    return fit(to_unit(grey), (height, width), pixel_spacing(grey.header))
