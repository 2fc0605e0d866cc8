"""A model whose update has 97 MB; imported by the compiler."""

import tensorflow as tf


def build() -> tf.keras.Model:
    """Return [batch, 32, 32, 1] → [batch, 2] logits, through 24 million weights."""
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            layers.Input((32, 32, 1)),
            layers.Flatten(),
            layers.Dense(4096, activation="relu"),
            layers.Dense(4096, activation="relu"),
            layers.Dense(776, activation="relu"),
            layers.Dense(2),
        ]
    )
