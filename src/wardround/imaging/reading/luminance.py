"""Colour to grey: the luminance of ITU-R BT.601, Y = 0.299 R + 0.587 G + 0.114 B.

It is the Y of DICOM's own YBR_FULL (PS3.3 C.7.6.3.1.2), so an ultrasound image stored in YBR keeps its brightness.
"""

import numpy as np
from pydicom.dataset import Dataset

from wardround.imaging.reading.claims import PALETTE, PARTIAL, Claims
from wardround.imaging.reading.palette import read_palette

_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)


def is_colour(claims: Claims) -> bool:
    """Whether the stored values are colours or places in a palette."""
    return claims.samples == 3 or claims.photometric == PALETTE


def luminance(stored: np.ndarray, claims: Claims, dataset: Dataset) -> tuple[np.ndarray, float]:
    """Luminance, float32 [rows, columns], and its largest possible value.

    stored: RGB (or YBR_PARTIAL) [rows, columns, 3], or places in the palette [rows, columns]. Raises what
    `read_palette` raises.
    """
    if claims.photometric == PALETTE:
        tables, first, top = read_palette(dataset)
        places = np.clip(stored.astype(np.int64) - first, 0, tables.shape[1] - 1)
        return (_WEIGHTS @ tables.astype(np.float32))[places], top
    if claims.photometric in PARTIAL:
        # ITU-R BT.601: luma is stored from 16 to 235.
        return (stored[..., 0].astype(np.float32) - 16) * np.float32(255 / 219), 255.0
    grey: np.ndarray = stored.astype(np.float32) @ _WEIGHTS
    return grey, float(2**claims.stored - 1)
