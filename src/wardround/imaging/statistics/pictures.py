"""What the model will see: images from the shards as PNG, and how bright they are.

Records lie in the order of keyed hashes, so the first ones of a split are a random choice, and always the same.
"""

import base64
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from wardround.imaging.dataset import DatasetInfo

BINS = 32
# Images that a histogram is made of, at most; and the longest side of a picture on the page.
_DEPTH = 256
_LONGEST = 256


@dataclass
class Sample:
    """Images uint8 [H, W] of one split and label to look at, and the histogram of up to 256: counts int [BINS]."""

    images: list[np.ndarray] = field(default_factory=list)
    histogram: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))
    counted: int = 0

    @property
    def shares(self) -> np.ndarray:
        """Share of pixels in each of the bins of [0, 1], float [BINS]; zeros where there is no image."""
        shares: np.ndarray = self.histogram / max(1, self.histogram.sum())
        return shares


def take_samples(folder: Path, info: DatasetInfo, pictures: int) -> dict[tuple[str, str], Sample]:
    """By split and label: the first `pictures` images, and the histogram. Raises DatasetError (altered shards)."""
    # TensorFlow is imported where it is needed.
    from wardround.imaging.shards import stream_split

    samples: dict[tuple[str, str], Sample] = {}
    for split, held in info.splits.items():
        own = {label: Sample() for label in info.labels}
        if held.count:
            _fill(own, stream_split(folder, split), info, pictures, held.counts)
        samples |= {(split, label): sample for label, sample in own.items()}
    return samples


def png_uri(image: np.ndarray) -> str:
    """A picture uint8 [H, W] as a data URI, made smaller if it is longer than 256 pixels."""
    picture = Image.fromarray(image)
    picture.thumbnail((_LONGEST, _LONGEST))
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def flat(image: np.ndarray, scale: float) -> np.ndarray:
    """A stored image [H, W, 1] as uint8 [H, W]; of a volume [D, H, W, 1] three slices, one upon the other."""
    grey = np.rint(np.clip(image[..., 0] * (scale * 255), 0, 255)).astype(np.uint8)
    if grey.ndim == 2:
        return grey
    stacked: np.ndarray = np.concatenate([grey[len(grey) * quarter // 4] for quarter in (1, 2, 3)])
    return stacked


def _fill(
    samples: Mapping[str, Sample],
    records: Iterable[tuple[np.ndarray, int]],
    info: DatasetInfo,
    pictures: int,
    counts: Mapping[str, int],
) -> None:
    missing = {label: min(_DEPTH, counts[label]) for label in info.labels}
    for image, place in records:
        sample = samples[info.labels[int(place)]]
        if sample.counted < _DEPTH:
            sample.counted += 1
            missing[info.labels[int(place)]] -= 1
            sample.histogram += np.histogram(image * info.scale, BINS, (0, 1))[0]
        if len(sample.images) < pictures:
            sample.images.append(flat(image, info.scale))
        if not any(missing.values()):
            return
