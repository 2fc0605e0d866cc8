"""Built-in Keras models. They end in logits, use group normalisation and hold no non-trainable weights.

TFF averages trainable weights only, so batch normalisation's statistics would silently stay at their
initial values (Hsieh et al. 2020, arXiv:1910.00189, on why group normalisation suits skewed sites).
Initial weights are drawn from uniform distributions: an integer of the generator times a constant, which IEEE 754
fixes to the last bit. Normal ones go through logarithm and cosine, which may differ from machine to machine, and with
them the plan's digest.
Imported in the compiler's environment alone.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from wardround.models.linear import logistic
from wardround.models.planar import cnn_small, resnet18_gn
from wardround.models.volumes import cnn3d_gn

Builder = Callable[[Sequence[int], int], tf.keras.Model]

BUILTIN: dict[str, Builder] = {
    "cnn-small": cnn_small,
    "resnet18-gn": resnet18_gn,
    "cnn3d-gn": cnn3d_gn,
    "logistic": logistic,
}
