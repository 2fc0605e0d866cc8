"""What the built-in models share."""

import tensorflow as tf


class StandardizeImage(tf.keras.layers.Layer):
    """Give every image zero mean and unit variance, whatever its scanner's exposure or window.

    float32 [batch, …, channels] → the same shape. A constant image becomes zeros.
    """

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Subtract each image's mean and divide by its standard deviation."""
        axes = list(range(1, images.shape.rank))
        mean, variance = tf.nn.moments(images, axes, keepdims=True)
        return (images - mean) * tf.math.rsqrt(variance + 1e-6)


def group_norm(channels: int) -> tf.keras.layers.Layer:
    """Group normalisation (Wu and He 2018, arXiv:1803.08494) with groups of at least eight channels."""
    return tf.keras.layers.GroupNormalization(groups=max(1, min(32, channels // 8)))
