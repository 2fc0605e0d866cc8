"""Training and evaluation figures as pure functions: a state of sums, so that sites can be added up."""

import collections
from typing import Any

import tensorflow as tf

BINS = 256
LOG_ODDS_LIMIT = 12.0


def training_metrics() -> tuple[Any, Any, Any]:
    """Return (initialize, update, finalize) of loss, accuracy and number of examples."""
    return _initialize_basic, _update_basic, _finalize_basic


def evaluation_metrics(classes: int) -> tuple[Any, Any, Any]:
    """As `training_metrics`, with a histogram of scores.

    `histogram` is int32 [classes, 2, 256]: for each class against the rest, the examples of other classes
    and of this one, by the log-odds of the class's score, clipped to [-12, 12]. AUROC, operating points and
    calibration follow from it, and histograms of several sites add up.
    """

    def initialize() -> Any:
        state = _initialize_basic()
        state["histogram"] = tf.zeros([classes, 2, BINS], tf.int32)
        return state

    def update(state: Any, labels: Any, batch_output: Any, sample_weight: Any = None) -> Any:
        new = _update_basic(state, labels, batch_output)
        new["histogram"] = state["histogram"] + _histogram(labels, batch_output.predictions, classes)
        return new

    def finalize(state: Any) -> Any:
        result = _finalize_basic(state)
        result["histogram"] = state["histogram"]
        return result

    return initialize, update, finalize


def _initialize_basic() -> Any:
    return collections.OrderedDict(
        loss_sum=tf.constant(0.0), correct=tf.constant(0), num_examples=tf.constant(0)
    )


def _update_basic(state: Any, labels: Any, batch_output: Any, sample_weight: Any = None) -> Any:
    labels = tf.cast(labels, tf.int32)
    logits = batch_output.predictions
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    hits = tf.equal(tf.argmax(logits, axis=-1, output_type=tf.int32), labels)
    return collections.OrderedDict(
        loss_sum=state["loss_sum"] + tf.reduce_sum(loss),
        correct=state["correct"] + tf.reduce_sum(tf.cast(hits, tf.int32)),
        num_examples=state["num_examples"] + tf.size(labels),
    )


def _finalize_basic(state: Any) -> Any:
    count = tf.cast(state["num_examples"], tf.float32)
    return collections.OrderedDict(
        loss=tf.math.divide_no_nan(tf.cast(state["loss_sum"], tf.float32), count),
        accuracy=tf.math.divide_no_nan(tf.cast(state["correct"], tf.float32), count),
        num_examples=state["num_examples"],
    )


def _histogram(labels: tf.Tensor, logits: tf.Tensor, classes: int) -> tf.Tensor:
    log_odds = tf.stack([_log_odds(logits, c, classes) for c in range(classes)])
    position = (log_odds + LOG_ODDS_LIMIT) * (BINS / (2 * LOG_ODDS_LIMIT))
    bins = tf.clip_by_value(tf.cast(tf.floor(position), tf.int32), 0, BINS - 1)
    own = tf.cast(tf.equal(labels[tf.newaxis, :], tf.range(classes)[:, tf.newaxis]), tf.int32)
    flat = (tf.range(classes)[:, tf.newaxis] * 2 + own) * BINS + bins
    counts = tf.math.unsorted_segment_sum(
        tf.ones_like(tf.reshape(flat, [-1])), tf.reshape(flat, [-1]), classes * 2 * BINS
    )
    return tf.reshape(counts, [classes, 2, BINS])


def _log_odds(logits: tf.Tensor, index: int, classes: int) -> tf.Tensor:
    """log(p / (1 - p)) of a softmax score, exact where p itself would round to 0 or 1; NaN counts as 0."""
    rest = tf.concat([logits[:, :index], logits[:, index + 1 :]], axis=1)
    value = logits[:, index] - tf.reduce_logsumexp(rest, axis=1)
    value = tf.where(tf.math.is_nan(value), tf.zeros_like(value), value)
    return tf.clip_by_value(value, -LOG_ODDS_LIMIT, LOG_ODDS_LIMIT)
