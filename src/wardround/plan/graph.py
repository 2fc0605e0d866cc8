"""Run one graph of a plan in a session that stays open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from wardround.errors import RefusedError
from wardround.plan.data import Array, Pipeline
from wardround.plan.format import Part

v1 = tf.compat.v1


class GraphRunner:
    """A part's graph, imported once and kept warm. Not thread-safe.

    `pipeline` builds the part's dataset inside the runner's own graph, so that both run as one.
    """

    def __init__(
        self,
        part: Part,
        data: bytes,
        *,
        threads: int | None = None,
        pipeline: Callable[[], Pipeline] | None = None,
    ) -> None:
        self._part = part
        self._graph = tf.Graph()
        with self._graph.as_default():
            self.pipeline = pipeline() if pipeline else None
            dataset = {part.arguments["dataset"][0].tensor: self.pipeline.variant} if self.pipeline else {}
            self._import(data, dataset)
        self._session = v1.Session(graph=self._graph, config=session_config(threads))

    def _import(self, data: bytes, replaced: Mapping[str, Any]) -> None:
        definition = v1.GraphDef()
        try:
            definition.ParseFromString(data)
            tf.graph_util.import_graph_def(definition, input_map=dict(replaced), name="part")
        except Exception as error:  # TensorFlow and protobuf raise several kinds, all meaning the same here
            raise RefusedError(
                f"{self._part.file} can't be imported ({type(error).__name__})", code="malformed"
            ) from error

    def run(self, feeds: Mapping[str, Any], fetches: Sequence[str]) -> list[Array]:
        """Feed tensors by their names in the part, and fetch others. Scalars come back as arrays of shape ()."""
        if self._part.initialize_op:
            self._session.run(_inside(self._part.initialize_op))
        named = {_inside(name): value for name, value in feeds.items()}
        if self._part.session_token:
            named[_inside(self._part.session_token)] = ""
        if self.pipeline is not None:
            named |= self.pipeline.feeds
        return [np.asarray(value) for value in self._session.run([_inside(name) for name in fetches], named)]

    def close(self) -> None:
        """Free the session and its threads."""
        self._session.close()


def session_config(threads: int | None) -> Any:
    """Return a ConfigProto with `threads` worker threads, or TensorFlow's own choice."""
    count = threads or 0
    config = v1.ConfigProto(intra_op_parallelism_threads=count, inter_op_parallelism_threads=count)
    # Idle worker threads would spin, at the cost of whoever else has work on the same cores.
    config.experimental.disable_thread_spinning = True
    return config


def _inside(name: str) -> str:
    return f"part/{name}"
