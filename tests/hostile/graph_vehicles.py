"""Every way in which a GraphDef can name an operation, as functions that hide one in an honest graph."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from wardround.plan.operations import ALLOWED

v1 = tf.compat.v1
Vehicle = Callable[[Any, str], None]

# All that TensorFlow has and a plan may not use, about a thousand.
FORBIDDEN = sorted(name for name in dir(tf.raw_ops) if name[:1].isupper() and name not in ALLOWED)


def honest_graph() -> Any:
    """Functions that call functions, both kinds of control flow, and a dataset with functions of its own."""

    @tf.function
    def double(x: tf.Tensor) -> tf.Tensor:
        return x * 2.0

    @tf.function
    def grown(x: tf.Tensor) -> tf.Tensor:
        index = tf.constant(0)
        while index < 3:
            x, index = double(x), index + 1
        return tf.cond(tf.reduce_sum(x) > 1.0, lambda: double(x), lambda: x)

    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [4], name="x")
        chosen = tf.switch_case(tf.cast(x[0], tf.int32), [lambda: grown(x), lambda: x])
        data = tf.data.Dataset.range(3).map(lambda i: tf.cast(i, tf.float32)).filter(lambda i: i > 0.0)
        total = data.reduce(0.0, lambda a, b: a + b)
        tf.add(tf.reduce_sum(chosen), total, name="out")
    return graph.as_graph_def()


HONEST = honest_graph().SerializeToString()
_LOWERED = "_lower_using_switch_merge"


def fresh() -> Any:
    """The honest graph, to be changed."""
    return v1.GraphDef.FromString(HONEST)


def _function(graph: Any, index: int = 0) -> Any:
    return graph.library.function[index % len(graph.library.function)]


def _calls(graph: Any) -> list[tuple[Any, str, Any]]:
    """(node, attribute, NameAttrList) of every reference in the graph and in its functions."""
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    found = []
    for node in nodes:
        for key, value in node.attr.items():
            entries = [value.func] if value.WhichOneof("value") == "func" else [*value.list.func]
            found += [(node, key, entry) for entry in entries]
    return found


def as_a_node(graph: Any, operation: str) -> None:
    graph.node.add(name="hidden", op=operation)


def as_a_node_of_a_function(graph: Any, operation: str) -> None:
    _function(graph, len(operation)).node_def.add(name="hidden", op=operation)


def _renamed(index: int, lowered: bool) -> Vehicle:
    """Some reference that is there names the operation instead; with and without the request to lower it."""

    def hide(graph: Any, operation: str) -> None:
        calls = _calls(graph)
        node, _, entry = calls[index % len(calls)]
        entry.name = operation
        if lowered:
            node.attr[_LOWERED].b = True

    return hide


def _control_flow(operation_of_control: str, key: str, listed: bool) -> Vehicle:
    """A node of its own whose branch, body or condition is the operation."""

    def hide(graph: Any, operation: str) -> None:
        node = graph.node.add(name="hidden", op=operation_of_control, input=["x"])
        if listed:
            node.attr[key].list.func.add(name=operation)
        else:
            node.attr[key].func.name = operation
        node.attr[_LOWERED].b = True

    return hide


def filled_in_by_a_caller(graph: Any, operation: str) -> None:
    """A function whose body calls what its caller fills in."""
    function = graph.library.function.add()
    function.signature.name = "takes_a_function"
    function.signature.attr.add(name="what", type="func")
    body = function.node_def.add(name="call", op="PartitionedCall")
    body.attr["f"].placeholder = "what"
    node = graph.node.add(name="hidden", op="takes_a_function")
    node.attr["what"].func.name = operation


def filled_in_without_saying_so(graph: Any, operation: str) -> None:
    """The same without an attribute in the signature, and through a reference's own attributes."""
    function = graph.library.function.add()
    function.signature.name = "takes_a_function"
    function.node_def.add(name="call", op="PartitionedCall").attr["f"].placeholder = "what"
    node = graph.node.add(name="hidden", op="PartitionedCall")
    node.attr["f"].func.name = "takes_a_function"
    node.attr["f"].func.attr["what"].func.name = operation


def nested_in_a_reference(graph: Any, operation: str) -> None:
    calls = _calls(graph)
    calls[len(operation) % len(calls)][2].attr["inner"].func.attr["deeper"].func.name = operation


def nested_in_a_note_of_a_reference(graph: Any, operation: str) -> None:
    calls = _calls(graph)
    calls[len(operation) % len(calls)][2].attr["_tf_data_function"].func.name = operation


def as_the_name_of_a_function(graph: Any, operation: str) -> None:
    function = _function(graph, len(operation))
    before, function.signature.name = function.signature.name, operation
    for _, _, entry in _calls(graph):
        entry.name = operation if entry.name == before else entry.name


def as_a_gradient(graph: Any, operation: str) -> None:
    graph.library.gradient.add(function_name=_function(graph).signature.name, gradient_func=operation)


def as_a_registered_gradient(graph: Any, operation: str) -> None:
    graph.library.registered_gradients.add(gradient_func=operation, registered_op_type="MatMul")


def in_an_attribute_of_a_function(graph: Any, operation: str) -> None:
    _function(graph, len(operation)).attr["_implements"].func.name = operation


def in_an_attribute_of_an_argument(graph: Any, operation: str) -> None:
    _function(graph, len(operation)).arg_attr[0].attr["_output_shapes"].list.func.add(name=operation)


def as_what_a_function_returns(graph: Any, operation: str) -> None:
    _function(graph, len(operation)).ret["extra"] = f"{operation}:output:0"


def as_what_a_function_waits_for(graph: Any, operation: str) -> None:
    _function(graph, len(operation)).control_ret["extra"] = operation


def in_a_note(graph: Any, operation: str) -> None:
    graph.node[0].attr["_class"].func.name = operation


def in_a_list_of_a_note(graph: Any, operation: str) -> None:
    function = next(function for function in graph.library.function if function.node_def)
    function.node_def[0].attr["_output_shapes"].list.func.add(name=operation)


def in_an_attribute_of_another_kind(graph: Any, operation: str) -> None:
    node = next(node for node in graph.node if "T" in node.attr)
    node.attr["T"].func.name = operation


def in_an_attribute_that_nobody_knows(graph: Any, operation: str) -> None:
    graph.node[len(operation) % len(graph.node)].attr[f"_{operation.lower()}"].func.name = operation


def as_a_placeholder(graph: Any, operation: str) -> None:
    node = next(node for node in graph.node if "T" in node.attr)
    node.attr["T"].placeholder = operation


VEHICLES: list[Vehicle] = [
    as_a_node,
    as_a_node_of_a_function,
    *(_renamed(index, lowered) for index in range(len(_calls(fresh()))) for lowered in (True, False)),
    *(
        _control_flow(control, key, listed=False)
        for control, keys in {
            "If": ("then_branch", "else_branch"),
            "StatelessIf": ("then_branch", "else_branch"),
            "While": ("cond", "body"),
            "StatelessWhile": ("cond", "body"),
            "PartitionedCall": ("f",),
            "StatefulPartitionedCall": ("f",),
            "MapDataset": ("f",),
            "ParallelMapDatasetV2": ("f",),
            "FlatMapDataset": ("f",),
            "FilterDataset": ("predicate",),
            "ReduceDataset": ("f",),
        }.items()
        for key in keys
    ),
    *(_control_flow(control, "branches", listed=True) for control in ("Case", "StatelessCase")),
    filled_in_by_a_caller,
    filled_in_without_saying_so,
    nested_in_a_reference,
    nested_in_a_note_of_a_reference,
    as_the_name_of_a_function,
    as_a_gradient,
    as_a_registered_gradient,
    in_an_attribute_of_a_function,
    in_an_attribute_of_an_argument,
    as_what_a_function_returns,
    as_what_a_function_waits_for,
    in_a_note,
    in_a_list_of_a_note,
    in_an_attribute_of_another_kind,
    in_an_attribute_that_nobody_knows,
    as_a_placeholder,
]
