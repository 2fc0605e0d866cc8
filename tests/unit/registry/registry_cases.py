"""Rounds to be kept, and what their models must predict."""

import numpy as np
import tensorflow as tf

from wardround.registry.predictor import PredictGraph
from wardround.registry.records import Merit, RoundRecord
from wardround.registry.runlog import RunLog

NAME = "pneumonia-cxr"
SHAPES = {"conv/kernel": (3, 3, 1, 4), "conv/bias": (4,), "dense/kernel": (4, 2)}


def weights_of(round: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(round)
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


def record_of(round: int, *, failed: bool = False) -> RoundRecord:
    return RoundRecord(
        round=round,
        metrics={"train_loss": 1 / round, "val_auroc": 0.5 + round / 100, "site/hannover/val_auroc": 0.6},
        outcome=b'{"round":%d}' % round,
        weights=None if failed else weights_of(round),
    )


def keep_best(log: RunLog, round: int) -> str | None:
    """Keeps a round that is better than all before it."""
    version = log.log_round(record_of(round))
    log.set_champion(round, Merit("val_auc", 0.5 + round / 100))
    return version


def expected_scores(graph: PredictGraph, weights: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """The graph itself, run in a session as plans are."""
    definition = graph.graph.graph_def()
    with tf.Graph().as_default() as inner, tf.compat.v1.Session(graph=inner) as session:
        tf.import_graph_def(definition, name="")
        feeds = {slot.tensor: weights[slot.name] for slot in graph.weights} | {graph.images: images}
        return session.run(graph.scores, feeds)
