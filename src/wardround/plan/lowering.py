"""TensorFlow's own lowering, run before the graph is: functional control flow and calls become primitive operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, rewriter_config_pb2
from tensorflow.python.grappler import tf_optimizer

from wardround.plan.graph_errors import malformed


def lower(file: str, graph: Any, ends: Sequence[str]) -> Any:
    """The GraphDef with `If`, `Case`, `While` and calls replaced by what they mean; `ends` keep their names.

    To be given reviewed graphs only. Raises RefusedError (`malformed`).
    """
    whole = meta_graph_pb2.MetaGraphDef()
    whole.graph_def.CopyFrom(graph)
    whole.collection_def["train_op"].node_list.value.extend(ends)
    try:
        return tf_optimizer.OptimizeGraph(_function_pass_only(), whole)
    except (tf.errors.OpError, ValueError) as error:
        raise malformed(file, f"TensorFlow cannot lower it ({type(error).__name__})") from error


def _function_pass_only() -> Any:
    config = config_pb2.ConfigProto()
    rewriting = config.graph_options.rewrite_options
    rewriting.optimizers.append("function")
    rewriting.min_graph_nodes = -1  # also small ones
    rewriting.meta_optimizer_iterations = rewriter_config_pb2.RewriterConfig.ONE
    rewriting.fail_on_optimizer_errors = True
    return config
