"""Tensor files: what was written is read back; whatever is not exactly as expected is refused."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wardround.errors import RefusedError
from wardround.exchange.envelope import TensorFile
from wardround.exchange.tensors import (
    Array,
    TensorSpec,
    decode,
    encode,
    expected_size,
    read_tensors,
    write_tensors,
)

DTYPES = [
    "bool", "int8", "uint8", "int16", "uint16", "int32",
    "uint32", "int64", "uint64", "float16", "float32", "float64",
]  # fmt: skip
ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)
TENSORS = st.dictionaries(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), ARRAYS, max_size=6
).filter(lambda tensors: "__metadata__" not in tensors)
SAMPLE = {
    "weights/0": np.arange(12, dtype=np.float32).reshape(3, 4),
    "count": np.array(7, dtype=np.int64),
    "mask": np.array([True, False, True]),
    "none": np.zeros((0, 5), dtype=np.float64),
}


def specs(tensors: Mapping[str, Array]) -> dict[str, TensorSpec]:
    return {name: TensorSpec.of(array) for name, array in tensors.items()}


SPEC = specs(SAMPLE)


def same(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype
        and one[name].shape == other[name].shape
        and one[name].tobytes() == other[name].tobytes()
        for name in one
    )


def file_of(header: Any, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def code_of(data: bytes, spec: Mapping[str, TensorSpec], folder: Path | None = None) -> str:
    with pytest.raises(RefusedError) as refusal:
        decode(data, spec)
    if folder is not None:
        path = folder / "file"
        path.write_bytes(data)
        file = TensorFile(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        with pytest.raises(RefusedError) as second:
            read_tensors(path, spec, file)
        assert second.value.code == refusal.value.code
    return refusal.value.code


@given(TENSORS)
def test_what_was_encoded_is_decoded_and_reads_the_same_with_the_library(tensors: dict[str, Array]) -> None:
    data = encode(tensors)
    assert same(decode(data, specs(tensors)), tensors)
    assert same(safetensors.numpy.load(data), tensors)
    assert len(data) <= expected_size(specs(tensors))


def test_what_was_written_is_read_back_and_cannot_be_changed(tmp_path: Path) -> None:
    file = write_tensors(tmp_path / "t", SAMPLE)
    assert file.size == (tmp_path / "t").stat().st_size
    assert file.sha256 == hashlib.sha256((tmp_path / "t").read_bytes()).hexdigest()
    read = read_tensors(tmp_path / "t", SPEC, file)
    assert same(read, SAMPLE)
    assert not any(array.flags.writeable for array in read.values())
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_arrays_are_written_as_they_look_whatever_their_memory_is(tmp_path: Path) -> None:
    odd = {
        "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "strided": np.arange(10, dtype=np.int64)[::2],
        "reversed": np.arange(4, dtype=np.int32)[::-1],
        "big-endian": np.arange(4, dtype=">f4"),
    }
    read = read_tensors(tmp_path / "t", specs(odd), write_tensors(tmp_path / "t", odd))
    assert all(np.array_equal(read[name], odd[name]) for name in odd)


def test_writing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    assert write_tensors(tmp_path / "a", SAMPLE) == write_tensors(tmp_path / "b", SAMPLE)
    assert encode(SAMPLE) == (tmp_path / "a").read_bytes()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"count": TensorSpec((1,), "int64")}, "wrong-shape"),
        ({"weights/0": TensorSpec((4, 3), "float32")}, "wrong-shape"),
        ({"none": TensorSpec((5, 0), "float64")}, "wrong-shape"),
        ({"weights/0": TensorSpec((3, 4), "int32")}, "wrong-dtype"),
        ({"count": TensorSpec((), "uint64")}, "wrong-dtype"),
        ({"more": TensorSpec((), "int64")}, "wrong-tensors"),
    ],
)
def test_another_tensor_than_the_expected_is_refused_by_name(
    change: dict[str, TensorSpec], code: str, tmp_path: Path
) -> None:
    assert code_of(encode(SAMPLE), SPEC | change, tmp_path) == code
    with pytest.raises(RefusedError, match=next(iter(change))):
        decode(encode(SAMPLE), SPEC | change)


def test_a_tensor_too_many_is_refused(tmp_path: Path) -> None:
    fewer = {name: spec for name, spec in SPEC.items() if name != "mask"}
    assert code_of(encode(SAMPLE), fewer | {"x": TensorSpec((), "int64")}, tmp_path) == "wrong-tensors"
    assert code_of(encode(SAMPLE | {"y": SAMPLE["mask"]}), SPEC, tmp_path) in ("wrong-tensors", "malformed")


ONE = {"a": TensorSpec((2,), "uint8"), "b": TensorSpec((2,), "uint8")}


def entry(start: Any, stop: Any, **changes: Any) -> dict[str, Any]:
    return {"dtype": "U8", "shape": [2], "data_offsets": [start, stop]} | changes


@pytest.mark.parametrize(
    "header",
    [
        {"a": entry(0, 2), "b": entry(1, 3)},
        {"a": entry(0, 2), "b": entry(0, 2)},
        {"a": entry(0, 2), "b": entry(3, 5)},
        {"a": entry(1, 3), "b": entry(3, 5)},
        {"a": entry(0, 2), "b": entry(2, 5)},
        {"a": entry(0, 2), "b": entry(4, 2)},
        {"a": entry(-2, 0), "b": entry(0, 2)},
        {"a": entry(0, 2), "b": entry(2.0, 4.0)},
        {"a": entry(False, 2), "b": entry(2, 4)},
        {"a": entry(0, 2), "b": entry(2, 4, data_offsets=[2, 4, 6])},
        {"a": entry(0, 2), "b": entry(2, 4, data_offsets="24")},
        {"a": entry(0, 2), "b": entry(2, 4, note="hidden")},
        {"a": entry(0, 2), "b": None},
        {"a": entry(0, 2), "b": {}},
        [],
        b"",
        b"{",
        b"\xff\xff",
        b"[" * 150,
    ],
)
def test_a_header_that_hides_overlaps_or_lies_is_malformed(header: Any, tmp_path: Path) -> None:
    assert code_of(file_of(header, b"1234"), ONE, tmp_path) == "malformed"


def test_a_name_that_stands_twice_is_malformed(tmp_path: Path) -> None:
    a = json.dumps(entry(0, 2))
    header = f'{{"a":{a},"b":{json.dumps(entry(2, 4))},"a":{a}}}'.encode()
    assert code_of(file_of(header, b"1234"), ONE, tmp_path) == "malformed"


def test_free_text_does_not_travel(tmp_path: Path) -> None:
    data = safetensors.numpy.save({"a": np.zeros(2, np.uint8), "b": np.zeros(2, np.uint8)}, {"n": "Miller"})
    assert code_of(data, ONE, tmp_path) == "wrong-tensors"


@pytest.mark.parametrize("shape", [[2, 1], [True], [-2], "2", [[2]], [2.0], [10**30]])
def test_another_shape_is_refused_whatever_it_is(shape: Any, tmp_path: Path) -> None:
    header = {"a": entry(0, 2, shape=shape), "b": entry(2, 4)}
    assert code_of(file_of(header, b"1234"), ONE, tmp_path) == "wrong-shape"


@pytest.mark.parametrize("dtype", ["F32", "u8", "BF16", None, ["U8"], {}, "Z" * 50])
def test_another_dtype_is_refused_whatever_it_is(dtype: Any, tmp_path: Path) -> None:
    header = {"a": entry(0, 2, dtype=dtype), "b": entry(2, 4)}
    assert code_of(file_of(header, b"1234"), ONE, tmp_path) == "wrong-dtype"


def test_data_after_the_last_tensor_is_refused(tmp_path: Path) -> None:
    assert code_of(encode(SAMPLE) + b"\0", SPEC, tmp_path) == "malformed"


@given(st.integers(0, len(encode(SAMPLE)) - 1))
def test_a_file_that_ends_early_is_refused(end: int) -> None:
    assert code_of(encode(SAMPLE)[:end], SPEC) in ("truncated", "malformed")


@pytest.mark.parametrize("length", [1 << 20, 1 << 40, (1 << 64) - 1])
def test_a_header_that_claims_to_be_huge_is_refused_unread(length: int, tmp_path: Path) -> None:
    assert code_of(length.to_bytes(8, "little") + b"{}", SPEC, tmp_path) == "malformed"


def test_a_bool_that_is_neither_true_nor_false_is_refused(tmp_path: Path) -> None:
    header = {"a": {"dtype": "BOOL", "shape": [2], "data_offsets": [0, 2]}}
    assert code_of(file_of(header, b"\1\2"), {"a": TensorSpec((2,), "bool")}, tmp_path) == "malformed"


def test_a_file_with_another_hash_or_size_than_committed_is_refused(tmp_path: Path) -> None:
    file = write_tensors(tmp_path / "t", SAMPLE)
    other = write_tensors(tmp_path / "u", SAMPLE | {"count": np.array(8, dtype=np.int64)})
    assert other.size == file.size
    for wrong in (other, file.model_copy(update={"size": file.size + 1})):
        with pytest.raises(RefusedError) as refusal:
            read_tensors(tmp_path / "t", SPEC, wrong)
        assert refusal.value.code == "wrong-hash"


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_and_nothing_else(data: bytes) -> None:
    assert code_of(data, SPEC) in ("malformed", "truncated", "wrong-tensors")


@settings(max_examples=300)
@given(st.integers(0, len(encode(SAMPLE)) - 1), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_reads_as_the_library_reads_it(at: int, byte: int) -> None:
    data = bytearray(encode(SAMPLE))
    data[at] = byte
    try:
        read = decode(bytes(data), SPEC)
    except RefusedError:
        return
    assert same(read, safetensors.numpy.load(bytes(data)))


@pytest.mark.parametrize(
    ("shape", "dtype"), [((-1,), "float32"), ((2,), "complex64"), ((2,), "object"), ((), "F32")]
)
def test_a_spec_that_cannot_travel_is_refused(shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(ValueError, match="legal dtypes"):
        TensorSpec(shape, dtype)


def test_an_array_that_cannot_travel_is_refused() -> None:
    with pytest.raises(ValueError, match="legal dtypes"):
        encode({"a": np.array(["text"])})
