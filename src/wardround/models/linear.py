"""Logistic regression on standardized, shrunken images: the baseline that any network has to beat."""

from collections.abc import Sequence

import tensorflow as tf

from wardround.models.layers import StandardizeImage


def logistic(shape: Sequence[int], classes: int) -> tf.keras.Model:
    """Return [batch, *shape] → [batch, classes] logits. Images larger than 32 pixels a side are pooled first."""
    images = tf.keras.Input(tuple(shape))
    x = StandardizeImage()(images)
    factor = [max(1, side // 32) for side in shape[:-1]]
    if max(factor) > 1:
        pool = tf.keras.layers.AveragePooling2D if len(factor) == 2 else tf.keras.layers.AveragePooling3D
        x = pool(factor)(x)
    x = tf.keras.layers.Flatten()(x)
    return tf.keras.Model(images, tf.keras.layers.Dense(classes, kernel_initializer="zeros")(x))
