"""Random layers (dropout, noise, augmentation) as pure functions, so that a round done again gives the same bits.

TensorFlow draws random numbers from a state of the process: a site that is killed and starts again draws others, and
a reviewer cannot repeat a round. TFF refuses a fixed seed in a graph, which would give every batch the same numbers.
Here every number is drawn by a stateless generator (Philox; Salmon et al., SC 2011) from a seed that is made of what
the model is given: the batch's bits, the weights' bits, and the operation's place. Other batches and other weights
draw other numbers; the same batch and the same weights draw the same.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import tensorflow as tf
from keras.src import backend
from tensorflow.python.ops import gen_random_ops

_ALGORITHM = "philox"  # and not whichever suits the machine


class Draws:
    """Seeds int32 [2], one for each random operation of a model that is being traced."""

    def __init__(self, seed: Callable[[], Any]) -> None:
        self._make = seed
        self._graph = tf.compat.v1.get_default_graph()
        self._seed: Any = None
        self._count = 0

    def next(self) -> Any:
        """Another seed; the first costs a pass over the batch and the weights."""
        if self._seed is None:
            # Not in the branch of a condition that may be the first to draw: the others could not use it there.
            with self._graph.as_default(), tf.control_dependencies(None):
                self._seed = self._make()
        self._count += 1
        return self._seed + tf.constant([0, self._count])


def seed_of(seed: int, images: Any, weights: Sequence[Any]) -> Any:
    """int32 [2] out of the recipe's seed, a batch float [B, …] and weights of any shape."""
    return tf.stop_gradient(tf.stack([_checksum([images]) + tf.constant(seed % 2**31), _checksum(weights)]))


def _checksum(tensors: Sequence[Any]) -> Any:
    """The sum of all values' bits as int32, which wraps and therefore does not depend on the order of adding."""
    words = [tf.reduce_sum(tf.bitcast(tf.cast(tensor, tf.float32), tf.int32)) for tensor in tensors]
    return tf.add_n(words) if words else tf.constant(0)


@contextmanager
def drawn_from(draws: Draws) -> Iterator[None]:
    """TensorFlow's and Keras's random operations that are traced in here take their numbers from `draws`."""
    with ExitStack() as stack:
        for name, replacement in _operations(draws).items():
            stack.enter_context(mock.patch.object(gen_random_ops, name, replacement))
        for name, replacement in _keras_methods(draws).items():
            stack.enter_context(mock.patch.object(backend.RandomGenerator, name, replacement))
        yield


def _operations(draws: Draws) -> dict[str, Callable[..., Any]]:
    """The operations behind `tf.random.uniform`, `normal`, `truncated_normal`, `shuffle` and `categorical`."""

    def uniform(shape: Any, dtype: Any, **_: Any) -> Any:
        return tf.random.stateless_uniform(shape, draws.next(), dtype=dtype, alg=_ALGORITHM)

    def uniform_int(shape: Any, minval: Any, maxval: Any, **_: Any) -> Any:
        kind = tf.convert_to_tensor(minval).dtype
        return tf.random.stateless_uniform(shape, draws.next(), minval, maxval, kind, alg=_ALGORITHM)

    def normal(shape: Any, dtype: Any, **_: Any) -> Any:
        return tf.random.stateless_normal(shape, draws.next(), dtype=dtype, alg=_ALGORITHM)

    def truncated(shape: Any, dtype: Any, **_: Any) -> Any:
        return tf.random.stateless_truncated_normal(shape, draws.next(), dtype=dtype, alg=_ALGORITHM)

    def shuffle(value: Any, **_: Any) -> Any:
        keys = tf.random.stateless_uniform(tf.shape(value)[:1], draws.next(), alg=_ALGORITHM)
        return tf.gather(value, tf.argsort(keys))

    def categorical(logits: Any, num_samples: Any, output_dtype: Any = tf.int64, **_: Any) -> Any:
        return tf.random.stateless_categorical(logits, num_samples, draws.next(), output_dtype)

    return {
        "random_uniform": uniform,
        "random_uniform_int": uniform_int,
        "random_standard_normal": normal,
        "truncated_normal": truncated,
        "random_shuffle": shuffle,
        "multinomial": categorical,
    }


def _keras_methods(draws: Draws) -> dict[str, Callable[..., Any]]:
    """Keras's layers draw by `RandomGenerator`, some of them from a variable, which a plan cannot have."""

    def initialize(self: Any) -> None:
        self._rng_type, self._generator, self._built = self.RNG_LEGACY_STATEFUL, None, True

    return {
        "_maybe_init": initialize,
        "make_seed_for_stateless_op": lambda self: draws.next(),
        "make_legacy_seed": lambda self: None,
    }
