"""TFF computations as GraphDef files with flat, named bindings."""

import hashlib
import pathlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

# TFF offers no public access to a computation's graph; its version is pinned by locks/compiler.txt.
from tensorflow_federated.python.common_libs import structure
from tensorflow_federated.python.core.impl.computation import computation_impl

from wardround.compiler.failure import CompilerFailure


@dataclass(frozen=True)
class Leaf:
    """One tensor of an argument or a result: `name` is its path in TFF's type, `tensor` its name in the graph."""

    name: str
    tensor: str
    shape: tuple[int | None, ...]
    dtype: str
    kind: str = "tensor"


def computation_proto(computation: Any) -> Any:
    """Return the TensorFlow part of a computation's proto."""
    proto = computation_impl.ConcreteComputation.get_proto(computation)
    if proto.WhichOneof("computation") != "tensorflow":
        raise CompilerFailure(
            f"a part compiled to {proto.WhichOneof('computation')}, legal is a TensorFlow graph"
        )
    return proto.tensorflow


def graph_of(proto: Any) -> tf.compat.v1.GraphDef:
    """Unpack the GraphDef that the proto carries as `Any`."""
    graph = tf.compat.v1.GraphDef()
    if not proto.graph_def.Unpack(graph):
        raise CompilerFailure("a part carries no GraphDef")
    return graph


def write_part(
    computation: Any, out: pathlib.Path, name: str, arguments: Sequence[str], results: Sequence[str]
) -> dict[str, Any]:
    """Write one computation's graph and return its entry for the manifest.

    Several `arguments` or `results` name the elements of the computation's outermost struct; a single name
    stands for the whole.
    """
    proto = computation_proto(computation)
    signature = computation.type_signature
    return {
        **write_graph(graph_of(proto), out, name),
        "initialize_op": proto.initialize_op,
        "session_token": proto.session_token_tensor_name,
        "arguments": _named(signature.parameter, proto.parameter, arguments),
        "results": _named(signature.result, proto.result, results),
    }


def write_graph(graph: tf.compat.v1.GraphDef, out: pathlib.Path, name: str) -> dict[str, Any]:
    """Write `graphs/<name>.pb` with a deterministic encoding; return file, size and hash."""
    data = graph.SerializeToString(deterministic=True)
    path = pathlib.PurePosixPath("graphs") / f"{name}.pb"
    (out / "graphs").mkdir(parents=True, exist_ok=True)
    (out / path).write_bytes(data)
    return {"file": str(path), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _named(type_: Any, binding: Any, names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    if not names:
        return {}
    if len(names) == 1:
        return {names[0]: _as_dicts(type_, binding, "")}
    types = [element for _, element in elements(type_)]
    if len(types) != len(names):
        raise CompilerFailure(
            f"a part has {len(types)} values where {len(names)} were expected: {', '.join(names)}"
        )
    return {
        name: _as_dicts(t, b, "") for name, t, b in zip(names, types, binding.struct.element, strict=True)
    }


def _as_dicts(type_: Any, binding: Any, path: str) -> list[dict[str, Any]]:
    return [asdict(leaf) for leaf in leaves(type_, binding, path)]


def leaves(type_: Any, binding: Any, path: str = "") -> Iterator[Leaf]:
    """Walk a TFF type and its binding in parallel, in TFF's own order."""
    if isinstance(type_, tff.TensorType):
        shape = None if type_.shape is None else tuple(type_.shape)
        yield Leaf(path or "value", binding.tensor.tensor_name, shape, _dtype(type_.dtype))
    elif isinstance(type_, tff.SequenceType):
        yield Leaf(path or "value", binding.sequence.variant_tensor_name, (), "variant", "dataset")
    elif isinstance(type_, tff.StructType):
        for (name, inner), element in zip(elements(type_), binding.struct.element, strict=True):
            yield from leaves(inner, element, f"{path}/{name}" if path else name)
    else:
        raise CompilerFailure(f"{path}: can't carry a value of type {type_}")


def elements(type_: Any) -> list[tuple[str, Any]]:
    """Return (name or position, type) of each element of a struct type."""
    return [
        (name if name is not None else str(index), inner)
        for index, (name, inner) in enumerate(structure.iter_elements(type_))
    ]


def _dtype(dtype: Any) -> str:
    return tf.as_dtype(dtype).name
