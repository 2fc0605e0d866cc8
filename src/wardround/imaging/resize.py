"""Resampling of images with antialiasing: Pillow's triangle filter, whose support grows with the reduction."""

import numpy as np
from PIL import Image


def fit(unit: np.ndarray, size: tuple[int, int], spacing: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """Scales float32 [rows, columns] into [H, W], keeping the aspect ratio of the body; the rest is 0.

    `spacing` is the distance of rows and of columns, so that pixels need not be square. The image is centred:
    zero-padding instead of stretching or cropping, so that no anatomy is deformed or lost.
    """
    extent = unit.shape[0] * spacing[0], unit.shape[1] * spacing[1]
    scale = min(size[0] / extent[0], size[1] / extent[1])
    height, width = (
        max(1, min(limit, round(length * scale))) for length, limit in zip(extent, size, strict=True)
    )
    small = _resampled(unit, height, width)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return np.pad(small, ((top, size[0] - height - top), (left, size[1] - width - left)))


def _resampled(image: np.ndarray, height: int, width: int) -> np.ndarray:
    source = Image.fromarray(np.ascontiguousarray(image, np.float32))
    resampled: np.ndarray = np.asarray(source.resize((width, height), Image.Resampling.BILINEAR))
    return resampled.clip(0, 1)
