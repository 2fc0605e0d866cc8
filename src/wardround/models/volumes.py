"""Models for volumes: float32 [batch, depth, height, width, channels] in [0, 1] → logits."""

from collections.abc import Sequence

import tensorflow as tf

from wardround.models.layers import StandardizeImage, group_norm

_L = tf.keras.layers


def cnn3d_gn(shape: Sequence[int], classes: int) -> tf.keras.Model:
    """Four 3-D convolutions with group normalisation (about 300 000 weights), for MR and CT series."""
    images = tf.keras.Input(tuple(shape))
    x = StandardizeImage()(images)
    for channels in (16, 32, 64, 128):
        x = _L.Conv3D(channels, 3, padding="same", use_bias=False)(x)
        x = _L.ReLU()(group_norm(channels)(x))
        if min(x.shape[1:4]) < 2:
            break
        x = _L.MaxPooling3D(2)(x)
    x = _L.Concatenate()([_L.GlobalAveragePooling3D()(x), _L.GlobalMaxPooling3D()(x)])
    return tf.keras.Model(images, _L.Dense(classes)(x))
