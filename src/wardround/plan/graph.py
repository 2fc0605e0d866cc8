"""Run one reviewed graph of a plan in a session that stays open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from wardround.errors import RefusedError
from wardround.plan.data import Array, Pipeline
from wardround.plan.format import Part
from wardround.plan.graph_errors import malformed
from wardround.plan.reviewed_graph import ReviewedGraph
from wardround.private_process import withhold
from wardround.text import foreign

v1 = tf.compat.v1


class GraphRunner:
    """A part's graph, imported once and kept warm. Not thread-safe.

    `reviewed` is the only form in which a graph gets here; `pipeline` builds the part's dataset inside the runner's
    own graph, so that both run as one. Raises RefusedError (`malformed`) for a graph that TensorFlow does not import,
    and for a part that names tensors which are not in it or have another type.
    """

    def __init__(
        self,
        part: Part,
        reviewed: ReviewedGraph,
        *,
        threads: int | None = None,
        pipeline: Callable[[], Pipeline] | None = None,
    ) -> None:
        self._part = part
        self._graph = tf.Graph()
        with self._graph.as_default():
            self.pipeline = pipeline() if pipeline else None
            dataset = {part.arguments["dataset"][0].tensor: self.pipeline.variant} if self.pipeline else {}
            self._import(reviewed, dataset)
            self._check_bindings()
        self._session = v1.Session(graph=self._graph, config=session_config(threads))

    def _import(self, reviewed: ReviewedGraph, replaced: Mapping[str, Any]) -> None:
        try:
            tf.graph_util.import_graph_def(reviewed.graph_def(), input_map=dict(replaced), name="part")
        except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
            raise malformed(self._part.file, f"it can't be imported ({type(error).__name__})") from error

    def _check_bindings(self) -> None:
        part = self._part
        for leaf in (
            leaf for group in (part.arguments, part.results) for leaves in group.values() for leaf in leaves
        ):
            try:
                dtype = self._graph.get_tensor_by_name(_inside(leaf.tensor)).dtype
            except (ValueError, KeyError, TypeError) as error:
                raise malformed(part.file, f"tensor {foreign(leaf.tensor, 80)} is not in it") from error
            if dtype.name != leaf.dtype:
                raise malformed(
                    part.file,
                    f"{foreign(leaf.tensor, 80)} is {dtype.name}, the manifest says {foreign(leaf.dtype, 20)}",
                )

    def run(self, feeds: Mapping[str, Any], fetches: Sequence[str]) -> list[Array]:
        """Feed tensors by their names in the part, and fetch others. Scalars come back as arrays of shape ().

        Raises RefusedError (`graph-failed`) when an operation fails.
        """
        named = {_inside(name): value for name, value in feeds.items()}
        if self._part.session_token:
            named[_inside(self._part.session_token)] = ""
        if self.pipeline is not None:
            named |= self.pipeline.feeds
        try:
            if self._part.initialize_op:
                self._session.run(_inside(self._part.initialize_op))
            values = self._session.run([_inside(name) for name in fetches], named)
        except (tf.errors.OpError, ValueError, TypeError, KeyError) as error:
            # TensorFlow's own words quote the values that a tensor holds, which may be a patient's pixels: they go
            # where a hospital keeps them for itself, and `from None` out of every traceback.
            withhold(error)
            raise RefusedError(
                f"{self._part.file} failed while it ran ({type(error).__name__})", code="graph-failed"
            ) from None
        return [np.asarray(value) for value in values]

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
