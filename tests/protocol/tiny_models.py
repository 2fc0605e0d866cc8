"""User files of the tests' recipes; imported by the compiler only."""

import tensorflow as tf
import tensorflow_federated as tff


def convolutional() -> tf.keras.Model:
    """A small network for 8 x 8 images."""
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.Dense(2),
        ]
    )


def wide() -> tf.keras.Model:
    """One tensor of more than 20 000 elements, from which on updates are compressed."""
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [layers.Input((8, 8, 1)), layers.Flatten(), layers.Dense(400, activation="relu"), layers.Dense(2)]
    )


def normalized() -> tf.keras.Model:
    """A network with batch normalisation, whose statistics nobody aggregates."""
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(8),
            layers.BatchNormalization(),
            layers.Dense(2),
        ]
    )


def oddly_named() -> tf.keras.Model:
    """A network with a layer whose kind is a word that no hospital's terminal has to show."""
    layers = tf.keras.layers
    kind = type("Flach\u202eab", (layers.Flatten,), {})
    return tf.keras.Sequential([layers.Input((8, 8, 1)), kind(name="flat"), layers.Dense(2)])


def own_process(model: tff.learning.models.FunctionalModel) -> tff.learning.templates.LearningProcess:
    """A learning process that no recipe has a word for: RMSprop at the sites, clipping to a fixed norm."""
    return tff.learning.algorithms.build_weighted_fed_avg(
        model,
        tff.learning.optimizers.build_rmsprop(0.001),
        tff.learning.optimizers.build_rmsprop(0.01),
        model_aggregator=tff.aggregators.clipping_factory(0.5, tff.aggregators.MeanFactory()),
    )
