"""Scores of a split come in order, batch by batch, from scaled pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from wardround.errors import RefusedError
from wardround.evaluation.scores import score_split


@dataclass(frozen=True)
class Split:
    images: np.ndarray
    scale: float


class Means:
    """A model whose score is the weighted mean of an image."""

    classes = 2

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
    scores = score_split(Means(), {}, Split(np.zeros((0, 2, 2, 1), np.uint8), 1.0))
    assert scores.shape == (0, 2) and scores.dtype == np.float32


@pytest.mark.parametrize(
    "answer",
    [
        np.full((4, 2), 0.5, np.float64),
        np.full((4, 2), 1, np.int32),
        np.full((4, 3), 1 / 3, np.float32),
        np.full((3, 2), 0.5, np.float32),
        np.full((5, 2), 0.5, np.float32),
        np.full(8, 0.5, np.float32),
        np.full((4, 2, 1), 0.5, np.float32),
        np.float32(0.5),
        np.full((4, 2), b"0.5", object),
    ],
    ids=lambda answer: f"{answer.dtype}{list(answer.shape)}",
)
def test_a_model_that_answers_with_anything_but_a_score_for_each_image_and_class_is_refused(
    answer: np.ndarray,
) -> None:
    class Odd(Means):
        def predict(self, weights: Any, images: np.ndarray) -> np.ndarray:
            return np.asarray(answer)

    with pytest.raises(RefusedError) as caught:
        score_split(Odd(), {}, Split(np.zeros((4, 2, 2, 1), np.uint8), 1.0), batch=4)
    assert caught.value.code == "wrong-scores"
