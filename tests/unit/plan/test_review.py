"""A hospital refuses graphs with operations that could reach anything but the plan's own tensors."""

import contextlib

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from wardround.errors import RefusedError
from wardround.plan.operations import ALLOWED
from wardround.plan.reviewed_graph import review_graph

v1 = tf.compat.v1


def _graph(build: object) -> bytes:
    with tf.Graph().as_default() as graph:
        build()  # type: ignore[operator]
    return bytes(graph.as_graph_def().SerializeToString())


FORBIDDEN = {
    "reading a file": lambda: tf.io.read_file("/etc/passwd"),
    "writing a file": lambda: tf.io.write_file("/tmp/x", "y"),
    "calling Python": lambda: v1.py_func(lambda: 1.0, [], tf.float32),
    "printing": lambda: tf.print("private"),
    "a variable": lambda: v1.get_variable("v", [2], use_resource=True),
    "a lookup table": lambda: tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer("/etc/passwd", tf.string, 0, tf.int64, 1), -1
    ),
    "a shared queue": lambda: tf.queue.FIFOQueue(1, tf.float32, shared_name="q"),
    "a dataset of files": lambda: tf.data.experimental.to_variant(tf.data.TFRecordDataset(["/data/x"])),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_plan_is_refused_for(what: str) -> None:
    with pytest.raises(RefusedError) as caught:
        review_graph("graphs/work.pb", _graph(FORBIDDEN[what]))
    assert caught.value.code == "forbidden-operation"


def test_a_forbidden_operation_inside_a_function_is_found() -> None:
    @tf.function
    def hidden(x: tf.Tensor) -> tf.Tensor:
        return tf.strings.length(tf.io.read_file("/etc/passwd")) + x

    with pytest.raises(RefusedError, match="ReadFile"):
        review_graph("graphs/work.pb", _graph(lambda: hidden(tf.constant(1))))


def test_a_function_may_not_take_the_name_of_an_allowed_operation() -> None:
    @tf.function
    def innocent(x: tf.Tensor) -> tf.Tensor:
        return x + 1

    graph = v1.GraphDef.FromString(_graph(lambda: innocent(tf.constant(1))))
    graph.library.function[0].signature.name = "MatMul"
    with pytest.raises(RefusedError, match="in place of TensorFlow's own"):
        review_graph("graphs/work.pb", graph.SerializeToString())


def test_a_node_that_asks_for_another_machine_is_refused() -> None:
    graph = v1.GraphDef.FromString(_graph(lambda: tf.constant(1)))
    graph.node[0].device = "/job:worker/task:3/device:CPU:0"
    with pytest.raises(RefusedError, match="another machine"):
        review_graph("graphs/work.pb", graph.SerializeToString())


def test_arithmetic_is_counted() -> None:
    graph = _graph(lambda: tf.matmul(tf.ones([2, 2]), tf.ones([2, 2])))
    assert review_graph("graphs/work.pb", graph).operations["MatMul"] == 1


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_or_counted_and_never_crash(data: bytes) -> None:
    with contextlib.suppress(RefusedError):
        review_graph("graphs/work.pb", data)


def test_every_name_on_the_allow_list_is_an_operation_of_this_tensorflow() -> None:
    assert not ALLOWED.keys() - {"_SwitchN"} - set(dir(tf.raw_ops))  # lowering's own has no Python name
