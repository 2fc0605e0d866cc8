"""Job F's network (56 thousand weights); imported by the compiler, and by benchmarks.train."""

import tensorflow as tf


def build() -> tf.keras.Model:
    """Return [batch, 28, 28, 1] → [batch, 2] logits."""
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(2),
        ]
    )
