"""One grey scale for a whole volume: [0, 1] from values in the units of the modality."""

from dataclasses import dataclass, field

import numpy as np
from pydicom.dataset import Dataset

from wardround.imaging.reading.grey import Grey
from wardround.imaging.reading.header import text
from wardround.imaging.reading.pixels import finished, has_contrast, stretched, windowed

# What a CT is shown in if its slices agree on no window: from air to dense bone (HU).
AIR, BONE = -1000.0, 1000.0
# Vessels and small lesions are the brightest of an MR: of a slice of the body, the 99.5 percentile clips 0.8 %.
_PERCENTILES = (0.1, 99.9)
_WINDOW = ("WindowCenter", "WindowWidth", "VOILUTFunction")


@dataclass
class Look:
    """How the slices of a volume are to be shown; it grows slice by slice, so that no header has to be kept."""

    windows: set[tuple[str, ...]] = field(default_factory=set)
    header: Dataset | None = None
    inverted: bool = False

    def note(self, grey: Grey) -> None:
        """Takes notice of a slice."""
        if self.header is None:
            self.header, self.inverted = grey.header, grey.inverted
        self.windows.add(tuple(text(grey.header, word) for word in _WINDOW))


def shown(values: np.ndarray, look: Look, *, hounsfield: bool) -> np.ndarray:
    """A volume's values, float32 with NaN where there is nothing, as float32 in [0, 1]; nothing is 0.

    CT: the window of the slices if it is the same for all, else from -1000 to 1000 HU. Anything else (MR) is in
    arbitrary units, so its windows mean little: from the 0.1 to the 99.9 percentile of the volume, and so is a CT
    that its window leaves without contrast. Raises Refusal for a volume without contrast.
    """
    valid = ~np.isnan(values)
    values = np.where(valid, values, np.float32(0))
    unit = _hounsfield(values, look) if hounsfield else None
    if unit is None or not has_contrast(unit, valid):
        unit = stretched(values, valid, _PERCENTILES)
    return finished(unit, valid, inverted=look.inverted)


def _hounsfield(values: np.ndarray, look: Look) -> np.ndarray:
    unit = windowed(values, look.header) if look.header is not None and len(look.windows) == 1 else None
    return np.clip((values - AIR) / (BONE - AIR), 0, 1) if unit is None else unit
