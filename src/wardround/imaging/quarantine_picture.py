"""The picture that a person looks at before deciding about an entry in quarantine."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

from wardround.imaging.burned_in.verdict import Box

# Small images are enlarged, so that letters of a few pixels can be read on a screen.
_SMALL, _LARGE = 512, 2048
_EDGE = (255, 176, 0)


def draw(grey: np.ndarray, boxes: Sequence[Box]) -> bytes:
    """A PNG of a picture, uint8 [rows, columns], with frames around the boxes; between 512 and 2048 pixels long."""
    longer = max(grey.shape)
    scale = max(1, -(-_SMALL // longer)) if longer < _SMALL else min(1.0, _LARGE / longer)
    size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
    image = Image.fromarray(grey).resize(size).convert("RGB")
    pen = ImageDraw.Draw(image)
    for box in boxes:
        left, top, right, bottom = (edge * scale for edge in box)
        pen.rectangle((left - 2, top - 2, right + 1, bottom + 1), outline=_EDGE, width=2)
    stream = BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
