"""Scores of a split come in order, batch by batch, from scaled pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from wardround.evaluation.scores import score_split


@dataclass(frozen=True)
class Split:
    images: np.ndarray
    scale: float


class Means:
    """A model whose score is the weighted mean of an image."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def predict(self, weights: Any, images: np.ndarray) -> np.ndarray:
        assert images.dtype == np.float32
        self.batches.append(len(images))
        found = images.mean(axis=(1, 2, 3)) * weights["gain"]
        return np.stack([1 - found, found], axis=1).astype(np.float32)


@pytest.mark.parametrize("count", [1, 4, 9])
def test_every_example_is_scored_once_and_in_order(count: int) -> None:
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)
    model = Means()
    scores = score_split(model, {"gain": np.float32(1)}, Split(images, 1 / 255), batch=4)
    assert scores[:, 1] == pytest.approx(np.arange(count) / 255)
    assert max(model.batches) <= 4


def test_a_split_without_examples_has_no_scores() -> None:
    assert len(score_split(Means(), {}, Split(np.zeros((0, 2, 2, 1), np.uint8), 1.0))) == 0
