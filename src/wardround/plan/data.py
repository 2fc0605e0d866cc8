"""A hospital's examples, and the order in which a round goes through them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from wardround.errors import RefusedError

v1 = tf.compat.v1
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Examples:
    """`images` [N, …, 1] as stored (uint8, uint16 or float32), `labels` int32 [N]; image * scale is in [0, 1]."""

    images: Array
    labels: Array
    scale: float

    def __len__(self) -> int:
        return int(self.labels.shape[0])


def training_order(count: int, *, seed: int, run: str, site: str, round: int, epochs: int) -> Array:
    """Return int64 [epochs * count]: a fresh permutation for each epoch.

    It depends on its arguments only, so a hospital that starts again trains on the same batches.
    """
    name = f"{seed}/{run}/{site}/{round}".encode()
    generator = np.random.Generator(
        np.random.PCG64(int.from_bytes(hashlib.sha256(name).digest()[:16], "big"))
    )
    return np.concatenate([generator.permutation(count) for _ in range(epochs)]).astype(np.int64)


def wrong_images(images: Array, dtype: str, shape: Iterable[int | None]) -> RefusedError:
    """The refusal of a data set whose images are not what the plan takes."""
    return RefusedError(
        f"the data set holds images {images.dtype}{list(images.shape[1:])}, the plan takes {dtype}{list(shape)}: "
        "preprocess again with the plan's settings",
        code="wrong-dataset",
    )


class Pipeline:
    """A tf.data pipeline inside a part's graph: indices → batches of (x float32 in [0, 1], y int32).

    The examples are fed, not stored in the graph; batches are gathered and scaled in TensorFlow's threads
    while the step before runs.
    """

    def __init__(self, image_shape: tuple[int | None, ...], dtype: str, batch_size: int) -> None:
        self._images = v1.placeholder(dtype, [None, *image_shape], name="examples/images")
        self._labels = v1.placeholder(tf.int32, [None], name="examples/labels")
        self._scale = v1.placeholder(tf.float32, [], name="examples/scale")
        self._order = v1.placeholder(tf.int64, [None], name="examples/order")
        self.variant = tf.data.experimental.to_variant(self._batches(batch_size))
        self.feeds: dict[Any, Any] = {}

    def _batches(self, batch_size: int) -> tf.data.Dataset:
        def gather(index: tf.Tensor) -> Mapping[str, tf.Tensor]:
            return {
                "x": tf.cast(tf.gather(self._images, index), tf.float32) * self._scale,
                "y": tf.gather(self._labels, index),
            }

        # The pipeline is built anew in every round: tuning and rewriting it would take longer than they save.
        options = tf.data.Options()
        options.autotune.enabled = False
        options.experimental_optimization.apply_default_optimizations = False
        indices = tf.data.Dataset.from_tensor_slices(self._order).batch(batch_size)
        return indices.map(tf.autograph.experimental.do_not_convert(gather)).prefetch(2).with_options(options)

    def bind(self, examples: Examples, order: Array) -> None:
        """Say what the next run goes through. Raises RefusedError for examples of another shape or dtype."""
        expected = self._images.shape.as_list()[1:]
        if (
            list(examples.images.shape[1:]) != expected
            or examples.images.dtype != self._images.dtype.as_numpy_dtype
        ):
            raise wrong_images(examples.images, self._images.dtype.name, expected)
        self.feeds = {
            self._images: examples.images,
            self._labels: examples.labels,
            self._scale: examples.scale,
            self._order: order,
        }
