"""TFF optimizers and learning-rate schedules by the recipe's names."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

_O = tff.learning.optimizers


def server_optimizer(settings: Mapping[str, Any]) -> Any:
    """Return the server's optimizer (Reddi et al. 2020, arXiv:2003.00295 for the adaptive ones)."""
    rate = settings["learning_rate"]
    return {
        "sgd": lambda: _O.build_sgdm(rate, settings["momentum"] or None),
        "adam": lambda: _O.build_adam(rate),
        "yogi": lambda: _O.build_yogi(rate),
        "adagrad": lambda: _O.build_adagrad(rate),
    }[settings["optimizer"]]()


def client_optimizer(settings: Mapping[str, Any], rate: Any = None) -> Any:
    """Return the client's optimizer; `rate` replaces the recipe's learning rate (for schedules)."""
    rate = settings["learning_rate"] if rate is None else rate
    return {
        "sgd": lambda: _O.build_sgdm(rate, settings["momentum"] or None),
        "adam": lambda: _O.build_adam(rate),
        "adamw": lambda: _O.build_adamw(rate, weight_decay=settings["weight_decay"]),
    }[settings["optimizer"]]()


def schedule(settings: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Return round (int32 scalar, from 0) → learning rate (float32 scalar)."""
    rate, plan = settings["learning_rate"], settings["schedule"]
    factor, every = plan["factor"], plan["every"]

    def exponential(round_number: Any) -> tf.Tensor:
        steps = tf.cast(tf.cast(round_number, tf.int32) // every, tf.float32)
        return tf.constant(rate, tf.float32) * tf.pow(tf.constant(factor, tf.float32), steps)

    def cosine(round_number: Any) -> tf.Tensor:
        progress = tf.minimum(tf.cast(round_number, tf.float32) / every, 1.0)
        return rate * (factor + (1 - factor) * 0.5 * (1 + tf.cos(math.pi * progress)))

    return {"exponential": exponential, "cosine": cosine}[plan["kind"]]
