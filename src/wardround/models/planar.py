"""Models for single images: float32 [batch, height, width, channels] in [0, 1] → logits."""

from collections.abc import Sequence

import tensorflow as tf

from wardround.models.layers import StandardizeImage, group_norm

_L = tf.keras.layers


def cnn_small(shape: Sequence[int], classes: int) -> tf.keras.Model:
    """A network of four convolutions (about 100 000 weights) that trains on two cores in seconds a round."""
    images = tf.keras.Input(tuple(shape))
    x = StandardizeImage()(images)
    for channels in (16, 32, 64, 128):
        if min(x.shape[1:3]) < 4:
            break
        x = _L.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = _L.ReLU()(group_norm(channels)(x))
        x = _L.MaxPooling2D(2)(x)
    # The mean tells how an image is, the maximum whether something small is in it.
    x = _L.Concatenate()([_L.GlobalAveragePooling2D()(x), _L.GlobalMaxPooling2D()(x)])
    return tf.keras.Model(images, _L.Dense(classes)(x))


def resnet18_gn(shape: Sequence[int], classes: int) -> tf.keras.Model:
    """ResNet-18 (He et al. 2015, arXiv:1512.03385, table 1) with group instead of batch normalisation."""
    images = tf.keras.Input(tuple(shape))
    x = StandardizeImage()(images)
    x = _convolve(x, 64, kernel=7, stride=2)
    x = _L.MaxPooling2D(3, 2, padding="same")(_L.ReLU()(x))
    for stage, channels in enumerate((64, 128, 256, 512)):
        for block in range(2):
            x = _basic_block(x, channels, stride=2 if stage and not block else 1)
    x = _L.GlobalAveragePooling2D()(x)
    return tf.keras.Model(images, _L.Dense(classes)(x))


def _convolve(x: tf.Tensor, channels: int, *, kernel: int = 3, stride: int = 1) -> tf.Tensor:
    x = _L.Conv2D(channels, kernel, stride, padding="same", use_bias=False, kernel_initializer="he_uniform")(
        x
    )
    return group_norm(channels)(x)


def _basic_block(x: tf.Tensor, channels: int, *, stride: int) -> tf.Tensor:
    inner = _convolve(_L.ReLU()(_convolve(x, channels, stride=stride)), channels)
    if stride != 1 or x.shape[-1] != channels:
        x = _convolve(x, channels, kernel=1, stride=stride)
    return _L.ReLU()(_L.Add()([x, inner]))
