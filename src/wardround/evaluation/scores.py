"""Scores of a split: the one step of evaluation that runs the model."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

BATCH = 64


class Predicts(Protocol):
    """What `plan.program.Program` offers here."""

    def predict(self, weights: Any, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Images float32 [N, …, 1] → scores float32 [N, C]."""


class Images(Protocol):
    """What `plan`'s examples offer here: images [N, …, 1] and what to multiply them by."""

    @property
    def images(self) -> NDArray[Any]: ...
    @property
    def scale(self) -> float: ...


def score_split(
    program: Predicts, weights: Mapping[str, NDArray[Any]], examples: Images, *, batch: int = BATCH
) -> NDArray[np.float32]:
    """Scores float32 [N, C] of every example, in order.

    Images are scaled batch by batch, so a split of integer pixels is never held as floats.
    """
    starts = range(0, len(examples.images), batch)
    parts = [program.predict(weights, _scaled(examples, start, batch)) for start in starts]
    return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)


def _scaled(examples: Images, start: int, batch: int) -> NDArray[np.float32]:
    return examples.images[start : start + batch].astype(np.float32) * np.float32(examples.scale)
