"""Colour to grey: the luminance of ITU-R BT.601, Y = 0.299 R + 0.587 G + 0.114 B.

It is the Y of DICOM's own YBR_FULL (PS3.3 C.7.6.3.1.2), so an ultrasound image stored in YBR keeps its brightness.
"""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from wardround.imaging.claims import PALETTE, Claims

PALETTE_TAGS = tuple(
    f"{kind}{colour}PaletteColorLookupTable{part}"
    for colour in ("Red", "Green", "Blue")
    for kind, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
)
_WEIGHTS = (0.299, 0.587, 0.114)


def is_colour(claims: Claims) -> bool:
    """Whether the stored values are colours or places in a palette."""
    return claims.samples == 3 or claims.photometric == PALETTE


def luminance(stored: np.ndarray, claims: Claims, dataset: Dataset) -> tuple[np.ndarray, float]:
    """Luminance, float32 [rows, columns], and its largest possible value.

    stored: RGB [rows, columns, 3], or places in the palette [rows, columns]. Raises whatever a damaged palette
    makes pydicom raise.
    """
    top = float(2**claims.stored - 1)
    if claims.photometric == PALETTE:
        stored = apply_color_lut(stored, dataset)
        top = float(np.iinfo(stored.dtype).max)
    grey = np.zeros(stored.shape[:2], np.float32)
    for channel, weight in enumerate(_WEIGHTS):
        grey += stored[..., channel] * np.float32(weight)
    return grey, top
