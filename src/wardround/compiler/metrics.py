"""The figures of training as pure functions: a state of sums, so that sites can be added up."""

import collections
from typing import Any

import tensorflow as tf


def training_metrics() -> tuple[Any, Any, Any]:
    """Return (initialize, update, finalize) of loss, accuracy and number of examples."""
    return _initialize, _update, _finalize


def _initialize() -> Any:
    return collections.OrderedDict(
        loss_sum=tf.constant(0.0), correct=tf.constant(0), num_examples=tf.constant(0)
    )


def _update(state: Any, labels: Any, batch_output: Any, sample_weight: Any = None) -> Any:
    labels = tf.cast(labels, tf.int32)
    logits = batch_output.predictions
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    hits = tf.equal(tf.argmax(logits, axis=-1, output_type=tf.int32), labels)
    return collections.OrderedDict(
        loss_sum=state["loss_sum"] + tf.reduce_sum(loss),
        correct=state["correct"] + tf.reduce_sum(tf.cast(hits, tf.int32)),
        num_examples=state["num_examples"] + tf.size(labels),
    )


def _finalize(state: Any) -> Any:
    count = tf.cast(state["num_examples"], tf.float32)
    # Of no example both are NaN, which is told as unknown.
    return collections.OrderedDict(
        loss=tf.cast(state["loss_sum"], tf.float32) / count,
        accuracy=tf.cast(state["correct"], tf.float32) / count,
        num_examples=state["num_examples"],
    )
