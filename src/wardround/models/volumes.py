"""Models for volumes: float32 [batch, depth, height, width, channels] in [0, 1] → logits."""

from collections.abc import Sequence

import tensorflow as tf

from wardround.models.layers import StandardizeImage, group_norm

_L = tf.keras.layers

# Channels of the stages. Small volumes have the first three, larger ones as many as their size allows for.
_CHANNELS = (16, 32, 64, 64, 64)
_FEWEST = 3
# Depth, height and width that halving leaves at least.
_LEAST = (4, 8, 8)


def cnn3d_gn(shape: Sequence[int], classes: int) -> tf.keras.Model:
    """Three to five 3-D convolutions with group normalisation (70 000 to 300 000 weights), for MR and CT series.

    As in nnU-Net (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z), the number of stages and how each axis
    is halved follow from the volume's size. Halving ends while the grid is fine, so that the global maximum finds
    a small thing wherever it is (Oquab et al. 2015, "Is object localization for free?"): where only a few cells
    are left, each sees the whole head, and the maximum tells no more than the mean. Convolutions start with the
    variance of He et al. 2015 (arXiv:1502.01852).
    """
    images = tf.keras.Input(tuple(shape))
    x = StandardizeImage()(images)
    for stage, channels in enumerate(_CHANNELS):
        halving = _halving(x.shape[1:4])
        if stage >= _FEWEST and max(halving) == 1:
            break
        if stage:
            x = _L.MaxPooling3D(halving)(x)
        x = _L.Conv3D(channels, 3, padding="same", use_bias=False, kernel_initializer="he_uniform")(x)
        x = _L.ReLU()(group_norm(channels)(x))
    x = _L.Concatenate()([_L.GlobalAveragePooling3D()(x), _L.GlobalMaxPooling3D()(x)])
    return tf.keras.Model(images, _L.Dense(classes)(x))


def _halving(grid: Sequence[int]) -> tuple[int, ...]:
    """2 for each axis that can be halved, else 1."""
    return tuple(2 if side >= 2 * least else 1 for side, least in zip(grid, _LEAST, strict=True))
