"""Nothing that a graph can say makes TensorFlow do what is not on the allow-list, or cost more than a plan may."""

import contextlib
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostile.graph_vehicles import FORBIDDEN, HONEST, VEHICLES, Vehicle, as_the_name_of_a_function, fresh
from wardround.errors import RefusedError
from wardround.plan import graph_limits
from wardround.plan.format import Leaf, Part
from wardround.plan.graph import GraphRunner
from wardround.plan.operations import ALLOWED
from wardround.plan.reviewed_graph import ReviewedGraph, review_graph
from wardround.registry.predictor import PredictGraph, Predictor, WeightSlot

v1 = tf.compat.v1
PART = Part(
    file="graphs/work.pb",
    bytes=len(HONEST),
    sha256="0" * 64,
    arguments={"x": (Leaf(name="x", tensor="x:0", shape=(4,), dtype="float32"),)},
    results={"out": (Leaf(name="out", tensor="out:0", shape=(), dtype="float32"),)},
)


def _code(graph: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        review_graph("graphs/work.pb", graph.SerializeToString(), ("x", "out"))
    return caught.value.code


def test_lowering_really_makes_an_operation_of_the_name_of_a_branch(tmp_path: Path) -> None:
    """The attack that the review has to stop, on TensorFlow itself: without it a file is read."""
    (tmp_path / "key.pem").write_text("private")
    definition = _reads_by_a_branch(str(tmp_path / "key.pem"))
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        tf.graph_util.import_graph_def(definition, name="")
        assert session.run("stolen:0") == b"private"
    assert _code(definition) == "forbidden-operation"


def _reads_by_a_branch(path: str) -> Any:
    with tf.Graph().as_default() as graph:
        name = tf.constant(path)
        branch = tf.cond(tf.size(name) > 0, lambda: tf.identity(name), lambda: tf.identity(name))
        tf.identity(branch, name="stolen")
    definition = graph.as_graph_def()
    for node in definition.node:
        if node.op in ("If", "StatelessIf"):
            node.attr["then_branch"].func.name = node.attr["else_branch"].func.name = "ReadFile"
            node.attr["_lower_using_switch_merge"].b = True
            del node.input[2:]
            node.attr["Tin"].list.type[:] = [tf.string.as_datatype_enum]
    return definition


@settings(max_examples=2_500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(FORBIDDEN), st.sampled_from(VEHICLES), st.lists(st.sampled_from(VEHICLES), max_size=1))
def test_a_forbidden_operation_is_found_behind_every_way_to_name_it(
    operation: str, vehicle: Vehicle, others: list[Vehicle]
) -> None:
    graph = fresh()
    for hide in (vehicle, *others):
        hide(graph, operation)
    assert _code(graph) in ("forbidden-operation", "malformed")


CLOSE = ("ReadFile", "PyFunc", "NoSuchOperation", "_Arg", "readfile", "ReadFile ", "")
# A function may be called as no operation of TensorFlow is.
FREE = {(name, as_the_name_of_a_function) for name in ("NoSuchOperation", "readfile")}


@pytest.mark.parametrize(
    ("operation", "vehicle"), [pair for pair in product(CLOSE, VEHICLES) if pair not in FREE]
)
def test_each_way_is_closed_for_names_that_are_close_to_an_operation_too(
    operation: str, vehicle: Vehicle
) -> None:
    graph = fresh()
    vehicle(graph, operation)
    assert _code(graph) in ("forbidden-operation", "malformed")


def test_the_honest_graph_in_which_all_this_is_hidden_is_reviewed_lowered_and_gives_its_result() -> None:
    reviewed = review_graph(PART.file, HONEST, ("x", "out"))
    assert reviewed.operations["ReduceDataset"] == 1
    left = {node.op for node in reviewed.graph_def().node}
    assert not left & {
        "If",
        "StatelessIf",
        "Case",
        "StatelessCase",
        "While",
        "StatelessWhile",
        "PartitionedCall",
    }
    (found,) = GraphRunner(PART, reviewed).run({"x:0": np.full(4, 0.5, np.float32)}, ["out:0"])
    assert found == pytest.approx(4 * 0.5 * 16 + 3)


def test_a_review_of_what_was_reviewed_changes_nothing() -> None:
    once = review_graph(PART.file, HONEST, ("x", "out")).definition
    assert review_graph(PART.file, once, ("x", "out")).definition == once


def test_all_that_a_session_runs_in_the_end_is_on_the_list_or_the_runtimes_own() -> None:
    """TensorFlow's own account of the graphs after all of its passes, optimizers included."""
    reviewed = review_graph(PART.file, HONEST, ("x", "out"))
    metadata = v1.RunMetadata()
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        tf.graph_util.import_graph_def(reviewed.graph_def(), name="")
        options = v1.RunOptions(output_partition_graphs=True)
        session.run("out:0", {"x:0": np.ones(4, np.float32)}, options=options, run_metadata=metadata)
    nodes = [node for partition in metadata.partition_graphs for node in partition.node]
    assert nodes and {node.op for node in nodes} - ALLOWED.keys() <= {"_Arg", "_Retval", "_Send", "_Recv"}


# --- what else a graph may not say --------------------------------------------------------------------------


def _shape_as_type(graph: Any) -> None:
    next(node for node in graph.node if node.op == "AddV2").attr["T"].shape.dim.add(size=1)


def _attribute(key: str, **value: Any) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        node = next(node for node in graph.node if node.op == "AddV2")
        for name, entry in value.items():
            setattr(node.attr[key], name, entry)

    return change


def _device(text: str) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        graph.node[0].device = text

    return change


def _constant(**fields: Any) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        node = next(node for node in graph.node if node.op == "Const")
        for name, entry in fields.items():
            setattr(node.attr["value"].tensor, name, entry)
        if "dtype" in fields:
            node.attr["dtype"].type = fields["dtype"]

    return change


def _handle(graph: Any) -> None:
    node = next(node for node in graph.node if node.op == "Const")
    node.attr["value"].tensor.resource_handle_val.add(container="localhost", name="iterator", device="/cpu:0")


REFUSED: dict[str, Callable[[Any], None]] = {
    "compiling by XLA": _attribute("_XlaMustCompile", b=True),
    "XLA's scope": _attribute("_XlaScope", s=b"a"),
    "an experimental setting": _attribute("experimental_anything", b=True),
    "a setting that another operation has": _attribute("shared_name", s=b"queue"),
    "a container": _attribute("container", s=b"shared"),
    "another implementation": _attribute("api_implements", s=b"f"),
    "a shape where a type is expected": _shape_as_type,
    "a reference type": _attribute("T", type=101),
    "a quantized type": _attribute("T", type=tf.qint8.as_datatype_enum),
    "another machine": _device("/job:worker/task:3/device:CPU:0"),
    "another task": _device("/job:localhost/replica:0/task:1/device:CPU:0"),
    "a device of XLA": _device("/device:XLA_CPU:0"),
    "a device that is none": _device("cpu; rm"),
    "a constant handle": _constant(dtype=tf.resource.as_datatype_enum),
    "a constant variant": _constant(dtype=tf.variant.as_datatype_enum),
    "a handle in a constant of numbers": _handle,
    "a name with a line break": lambda graph: setattr(graph.node[0], "name", "x\n\x1b[2J"),
    "an input that is no tensor": lambda graph: graph.node[-1].input.append("../x:0"),
    "two functions of one name": lambda graph: graph.library.function.append(graph.library.function[0]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_graph_is_refused_for(what: str) -> None:
    graph = fresh()
    REFUSED[what](graph)
    assert _code(graph) in ("forbidden-operation", "malformed")


def test_settings_of_the_runtime_and_notes_are_not_in_what_runs() -> None:
    graph = fresh()
    for node in graph.node:
        node.device = "/device:GPU:0"
        node.attr["_class"].list.s.append(b"loc:@x")
        if node.op.endswith("PartitionedCall"):
            node.attr["config_proto"].s = b"\x82\x01\x00"
            node.attr["executor_type"].s = b"SINGLE_THREADED_EXECUTOR"
    definition = review_graph(PART.file, graph.SerializeToString(), ("x", "out")).graph_def()
    kept = {key for node in definition.node for key in node.attr}
    assert not kept & {"_class", "config_proto", "executor_type"}
    assert not any(node.device for node in definition.node)


# --- what a graph may cost ----------------------------------------------------------------------------------


def _calling(name: str, *callees: str) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        function = graph.library.function.add()
        function.signature.name = name
        for index, callee in enumerate(callees):
            function.node_def.add(name=f"call{index}", op="PartitionedCall").attr["f"].func.name = callee
        graph.node.add(name=f"calls_{name}", op="PartitionedCall").attr["f"].func.name = name

    return change


def _all(*changes: Callable[[Any], None]) -> Any:
    graph = fresh()
    for change in changes:
        change(graph)
    return graph


def test_a_function_that_calls_itself_is_refused_before_tensorflow_recurses() -> None:
    assert _code(_all(_calling("f", "f"))) == "forbidden-operation"
    assert _code(_all(_calling("f", "g"), _calling("g", "h"), _calling("h", "f"))) == "forbidden-operation"


def test_functions_that_call_each_other_twice_are_refused_before_they_are_written_out() -> None:
    doubling = [_calling(f"f{i}", f"f{i + 1}", f"f{i + 1}") for i in range(40)]
    assert _code(_all(*doubling, _calling("f40"))) == "oversized"


def test_calls_may_not_go_deeper_than_lowering_can() -> None:
    chain = [_calling(f"f{i}", f"f{i + 1}") for i in range(graph_limits.MAX_CALL_DEPTH + 1)]
    assert _code(_all(*chain, _calling(f"f{len(chain)}"))) == "oversized"


def test_a_constant_that_claims_gigabytes_in_a_few_bytes_is_refused() -> None:
    graph = fresh()
    node = next(node for node in graph.node if node.op == "Const")
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(0.0, tf.float32, [1]))
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    node.attr["value"].tensor.tensor_shape.dim[0].size = 1 << 33
    assert _code(graph) == "oversized"


def test_many_constants_that_are_legal_alone_are_refused_together() -> None:
    graph = fresh()
    for index in range(20):
        node = graph.node.add(name=f"c{index}", op="Const")
        node.attr["dtype"].type = tf.float32.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(0.0, tf.float32, [1]))
        node.attr["value"].tensor.tensor_shape.dim[0].size = 1 << 24
    assert _code(graph) == "oversized"


def _expanding(body: Callable[[Any], None], calls: int) -> bytes:
    """A function with this body, called so often."""
    graph = v1.GraphDef()
    function = graph.library.function.add()
    function.signature.name = "f"
    body(function)
    for index in range(calls):
        graph.node.add(name=f"call{'_' * 900}{index}", op="PartitionedCall").attr["f"].func.name = "f"
    return bytes(graph.SerializeToString())


def _large_constant(function: Any) -> None:
    node = function.node_def.add(name="c", op="Const")
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.zeros(1 << 18, np.float32) + 1))
    node.attr["value"].tensor.tensor_content = b"\1" * (1 << 20)


def _many_inputs(function: Any) -> None:
    function.node_def.add(name="n", op="AddN", input=["x"] * 20_000)


def _names_that_grow_longer(function: Any) -> None:
    for index in range(80):
        function.node_def.add(name=f"n{index}", op="NoOp", input=["^n0"] * 4)


@pytest.mark.parametrize("body", [_large_constant, _many_inputs, _names_that_grow_longer])
def test_a_body_that_is_called_often_may_not_become_gigabytes_where_it_is_put_in(
    body: Callable[[Any], None],
) -> None:
    review_graph("graphs/work.pb", _expanding(body, 4))
    with pytest.raises(RefusedError) as caught:
        review_graph("graphs/work.pb", _expanding(body, 1_000))
    assert caught.value.code == "oversized"


def _with_lists(graph: Any) -> None:
    for index in range(60):
        node = graph.node.add(name=f"n{index}", op="IteratorGetNext", input=["x"])
        node.attr["output_types"].list.type[:] = [1] * 20_000


def _with_inputs(graph: Any) -> None:
    for index in range(60):
        graph.node.add(name=f"n{index}", op="AddN", input=["x"] * 20_000)


def _with_functions(graph: Any) -> None:
    for index in range(graph_limits.MAX_NODES + 1):
        graph.library.function.add().signature.name = f"f{index}"


def _with_sides(graph: Any) -> None:
    shape = next(node for node in graph.node if node.op == "Placeholder").attr["shape"].shape
    for _ in range(graph_limits.MAX_RANK + 1):
        shape.dim.add(size=1)


@pytest.mark.parametrize("fill", [_with_lists, _with_inputs, _with_functions, _with_sides])
def test_what_is_looked_at_one_by_one_is_counted_before(fill: Callable[[Any], None]) -> None:
    assert _code(_all(fill)) in ("oversized", "malformed")


def test_shapes_and_numbers_have_limits() -> None:
    graph = fresh()
    placeholder = next(node for node in graph.node if node.op == "Placeholder")
    for size in (-2, 1 << 41):
        placeholder.attr["shape"].shape.dim[0].size = size
        assert _code(graph) in ("malformed", "oversized")


def test_too_many_nodes_are_refused() -> None:
    graph = fresh()
    for index in range(graph_limits.MAX_NODES):
        graph.node.add(name=f"n{index}", op="NoOp")
    assert _code(graph) == "oversized"


# --- who may run graphs -------------------------------------------------------------------------------------


def test_nobody_makes_a_reviewed_graph_without_the_review() -> None:
    with pytest.raises(TypeError, match="reviewed by review_graph"):
        ReviewedGraph("graphs/work.pb", HONEST, {}, object())


def test_what_runs_graphs_takes_no_bytes() -> None:
    with pytest.raises((AttributeError, TypeError)):
        GraphRunner(PART, HONEST)  # type: ignore[arg-type]
    slots = (WeightSlot("x", "x:0", (4,), "float32"),)
    with pytest.raises((AttributeError, TypeError)):
        Predictor(PredictGraph(HONEST, slots, "x:0", (4,), "out:0", 1))  # type: ignore[arg-type]


def test_a_part_that_names_a_tensor_which_is_not_in_its_graph_is_refused() -> None:
    wrong = PART.model_copy(
        update={"results": {"out": (PART.results["out"][0].model_copy(update={"tensor": "no:0"}),)}}
    )
    with pytest.raises(RefusedError) as caught:
        GraphRunner(wrong, review_graph(PART.file, HONEST, ("x", "out")))
    assert caught.value.code == "malformed"


def test_an_operation_that_fails_says_so_without_the_values_that_it_failed_on() -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [4], name="x")
        with tf.control_dependencies([tf.debugging.assert_less(x, 1.0)]):
            tf.reduce_sum(x, name="out")
    runner = GraphRunner(
        PART, review_graph(PART.file, graph.as_graph_def().SerializeToString(), ("x", "out"))
    )
    with pytest.raises(RefusedError) as caught:
        runner.run({"x:0": np.full(4, 1234.5, np.float32)}, ["out:0"])
    assert caught.value.code == "graph-failed"
    assert "1234" not in str(caught.value) and caught.value.__cause__ is None


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_or_reviewed(data: bytes) -> None:
    with contextlib.suppress(RefusedError):
        review_graph("graphs/work.pb", data, ("x",))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, len(HONEST) - 1), st.binary(min_size=1, max_size=8), st.booleans())
def test_an_altered_graph_is_refused_or_still_made_of_allowed_operations(
    at: int, new: bytes, insert: bool
) -> None:
    changed = HONEST[:at] + new + HONEST[at if insert else at + len(new) :]
    with contextlib.suppress(RefusedError):
        reviewed = review_graph("graphs/work.pb", changed)
        assert reviewed.operations.keys() <= ALLOWED.keys()
