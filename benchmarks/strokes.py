"""The classical way to find text, which the detector is compared with: strokes in a row, by mathematical morphology."""

import cv2
import numpy as np

_STROKE = np.ones((7, 7), np.uint8)
_CONTRAST, _NOISE = 0.08, 5
_GAP = 13


def find_strokes(values: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Rows of letters in an image [rows, columns] as (left, top, right, bottom), at full size, half, a quarter …"""
    low, high = np.percentile(values, (0.5, 99.5))
    level, scale, found = values.astype(np.float32), 1, []
    while True:
        for way in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
            found += [
                tuple(int(part) * scale for part in box) for box in _rows(level, way, float(high - low))
            ]
        if min(level.shape) < 256:
            return found
        level = cv2.resize(level, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        scale *= 2


def _rows(level: np.ndarray, way: int, contrast: float) -> list[tuple[int, ...]]:
    strokes = cv2.morphologyEx(level, way, _STROKE)
    bound = max(_CONTRAST * contrast, _NOISE * float(np.median(strokes)))
    _, places, boxes, _ = cv2.connectedComponentsWithStats((strokes > bound).astype(np.uint8))
    width, height, area = boxes[:, 2], boxes[:, 3], boxes[:, 4]
    kept = (area >= 4) & (np.maximum(width, height) >= 4) & (np.minimum(width, height) <= 32)
    kept[0] = False
    letters = kept[places].astype(np.uint8)
    return [box for lying in (True, False) for box in _joined(letters, lying=lying)]


def _joined(letters: np.ndarray, *, lying: bool) -> list[tuple[int, ...]]:
    kernel = np.ones((3, _GAP) if lying else (_GAP, 3), np.uint8)
    joined = cv2.morphologyEx(letters, cv2.MORPH_CLOSE, kernel)
    _, _, boxes, _ = cv2.connectedComponentsWithStats(joined)
    found = []
    for left, top, width, height, area in boxes[1:]:
        longer, shorter = (width, height) if lying else (height, width)
        if longer >= 3 * shorter and 4 <= shorter <= 40 and area > 0.35 * width * height:
            found.append((left, top, left + width, top + height))
    return found
