"""A TFF process as the parts of a plan (MapReduceForm: broadcast, work, sum, update)."""

import pathlib
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

from wardround.compiler.serialize import computation_proto, graph_of, leaves, write_part

_AGGREGATE = ("plain", "secure_bitwidth", "secure_max_input", "secure_modular")


def write_process(process: Any, out: pathlib.Path) -> dict[str, Any]:
    """Compile an iterative process and write its graphs; return the manifest's entries of its parts."""
    form = tff.backends.mapreduce.get_map_reduce_form_for_computation(process.next)
    initialize = tff.backends.mapreduce.get_state_initialization_computation(process.initialize)
    return {
        "initialize": write_part(initialize, out, "initialize", (), ("state",)),
        "prepare": write_part(form.prepare, out, "prepare", ("state",), ("broadcast",)),
        "work": write_part(form.work, out, "work", ("dataset", "broadcast"), _AGGREGATE),
        "zero": write_part(form.zero, out, "zero", (), ("sum",)),
        "accumulate": write_part(form.accumulate, out, "accumulate", ("sum", "update"), ("sum",)),
        "merge": write_part(form.merge, out, "merge", ("sum", "other"), ("sum",)),
        "report": write_part(form.report, out, "report", ("sum",), ("plain",)),
        "update": _write_update(form.update, out),
    } | {"secure": _secure_limits(form)}


def _write_update(update: Any, out: pathlib.Path) -> dict[str, Any]:
    entry = write_part(update, out, "update", ("state", "aggregate"), ("state", "measurements"))
    proto = computation_proto(update)
    inner = update.type_signature.parameter[1]
    binding = proto.parameter.struct.element[1]
    del entry["arguments"]["aggregate"]
    for kind, type_, element in zip(_AGGREGATE, inner, binding.struct.element, strict=True):
        entry["arguments"][kind] = [vars(leaf) for leaf in leaves(type_, element)]
    return entry


def _secure_limits(form: Any) -> dict[str, list[int]]:
    """Return bits, largest input and modulus of every secure tensor; evaluated without TFF's runtime."""
    return {
        "bits": _constants(form.secure_sum_bitwidth),
        "max_input": _constants(form.secure_sum_max_input),
        "modulus": _constants(form.secure_modular_sum_modulus),
    }


def _constants(computation: Any) -> list[int]:
    proto = computation_proto(computation)
    found = list(leaves(computation.type_signature.result, proto.result))
    if not found:
        return []
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(graph_of(proto), name="")
        with tf.compat.v1.Session(graph=graph) as session:
            if proto.initialize_op:
                session.run(proto.initialize_op)
            return [int(value) for value in session.run([leaf.tensor for leaf in found])]
