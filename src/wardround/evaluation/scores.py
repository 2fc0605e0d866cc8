"""Scores of a split: the one step of evaluation that runs the model, whose graph is not trusted to give scores."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from wardround.errors import RefusedError

BATCH = 32  # measured: larger batches are no faster on a CPU, and hold more


class Predicts(Protocol):
    """What `plan.program.Program` offers here. `classes`: C."""

    @property
    def classes(self) -> int: ...
    def predict(self, weights: Any, images: NDArray[np.float32]) -> NDArray[Any]:
        """Images float32 [N, …, 1] → what should be scores float32 [N, C]."""


class Images(Protocol):
    """What `plan`'s examples offer here: images [N, …, 1] and what to multiply them by."""

    @property
    def images(self) -> NDArray[Any]: ...
    @property
    def scale(self) -> float: ...


def score_split(
    program: Predicts, weights: Mapping[str, NDArray[Any]], examples: Images, *, batch: int = BATCH
) -> NDArray[np.float32]:
    """Scores float32 [N, C] of every example, in order. They may be no probabilities: see `sums.defined`.

    Images are scaled batch by batch, so a split of integer pixels is never held as floats.
    Raises RefusedError `wrong-scores` where the graph gives another shape or dtype.
    """
    starts = range(0, len(examples.images), batch)
    parts = [_scores(program, weights, _scaled(examples, start, batch)) for start in starts]
    return np.concatenate([np.zeros((0, program.classes), np.float32), *parts])


def _scores(
    program: Predicts, weights: Mapping[str, NDArray[Any]], images: NDArray[np.float32]
) -> NDArray[np.float32]:
    found = program.predict(weights, images)
    expected = (len(images), program.classes)
    if found.dtype != np.float32 or found.shape != expected:
        raise RefusedError(
            f"the plan's scores of {len(images)} images are {found.dtype}{list(found.shape)}, legal are "
            f"float32{list(expected)}; do not approve this plan, and tell its author",
            code="wrong-scores",
        )
    return found


def _scaled(examples: Images, start: int, batch: int) -> NDArray[np.float32]:
    return examples.images[start : start + batch].astype(np.float32) * np.float32(examples.scale)
