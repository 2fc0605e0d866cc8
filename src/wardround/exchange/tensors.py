"""Tensor files: safetensors, read only after their header was compared with what is expected.

Written by the safetensors library. Read by own code, for three reasons: the header is to be compared with
the plan's shapes before any data is loaded, free text (`__metadata__`) must not travel, and 97 MB should
not be copied a second time. A test holds that whatever is read here reads the same with the library.
Format: https://huggingface.co/docs/safetensors, section "Format".
"""

import errno
import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from wardround.errors import RefusedError
from wardround.exchange.envelope import TensorFile
from wardround.exchange.files import whole_path

Array = npt.NDArray[Any]

_CODES = {
    "bool": "BOOL",
    "int8": "I8",
    "uint8": "U8",
    "int16": "I16",
    "uint16": "U16",
    "int32": "I32",
    "uint32": "U32",
    "int64": "I64",
    "uint64": "U64",
    "float16": "F16",
    "float32": "F32",
    "float64": "F64",
}
_LENGTH = 8  # bytes of the header's own length, little-endian
_BLOCK = 1 << 20


@dataclass(frozen=True)
class TensorSpec:
    """What a tensor must be: `shape` (may be empty or hold zeros) and `dtype`, a NumPy name.

    Raises ValueError for a negative dimension or a dtype that cannot travel.
    """

    shape: tuple[int, ...]
    dtype: str

    def __post_init__(self) -> None:
        if self.dtype not in _CODES or any(size < 0 for size in self.shape):
            raise ValueError(f"tensor {self.shape} {self.dtype}: legal dtypes are {', '.join(_CODES)}")

    @classmethod
    def of(cls, array: Array) -> "TensorSpec":
        """The spec of an array."""
        return cls(array.shape, array.dtype.name)

    @property
    def nbytes(self) -> int:
        """Size of the data in bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def encode(tensors: Mapping[str, Array]) -> bytes:
    """`tensors` as the bytes of a safetensors file."""
    return safetensors.numpy.save(_contiguous(tensors))


def write_tensors(path: Path, tensors: Mapping[str, Array]) -> TensorFile:
    """Writes `tensors` to a safetensors file, which appears whole or not at all.

    Raises NoSpaceError.
    """
    with whole_path(path) as part:
        try:
            safetensors.numpy.save_file(_contiguous(tensors), part)
        except safetensors.SafetensorError as error:
            if f"os error {errno.ENOSPC}" in str(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return TensorFile(sha256=digest, size=part.stat().st_size)


def expected_size(spec: Mapping[str, TensorSpec]) -> int:
    """The most bytes that a file with exactly these tensors may have: the limit for its download."""
    return _LENGTH + _header_limit(spec) + sum(tensor.nbytes for tensor in spec.values())


def decode(data: bytes, spec: Mapping[str, TensorSpec]) -> dict[str, Array]:
    """The tensors in the bytes of a safetensors file: read-only views, little-endian.

    Raises RefusedError: `malformed`, `wrong-tensors`, `wrong-shape`, `wrong-dtype`, `truncated`.
    """
    length = _header_length(data[:_LENGTH], spec)
    offsets = _check_header(data[_LENGTH : _LENGTH + length], length, spec, len(data) - _LENGTH - length)
    return _views(np.frombuffer(data, np.uint8)[_LENGTH + length :], offsets, spec)


def read_tensors(path: Path, spec: Mapping[str, TensorSpec], file: TensorFile) -> dict[str, Array]:
    """The tensors of a safetensors file, in order of their names: read-only views of one buffer.

    Nothing but the header is read before the header is found to be exactly `spec`. Raises RefusedError:
    `wrong-hash` for another size or SHA-256 than `file` says, and the codes of `decode`.
    """
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size != file.size:
            _refuse("wrong-hash", f"a tensor file has {size} bytes; its envelope commits {file.size}")
        start = stream.read(_LENGTH)
        length = _header_length(start, spec)
        header = stream.read(length)
        offsets = _check_header(header, length, spec, size - _LENGTH - length)
        data = np.empty(size - _LENGTH - length, np.uint8)
        digest = hashlib.sha256(start + header)
        for at in range(0, data.size, _BLOCK):
            block = data[at : at + _BLOCK]
            if stream.readinto(block.data) != block.size:
                _refuse("truncated", "a tensor file became shorter while it was read; fetch it again")
            digest.update(block.data)
    if digest.hexdigest() != file.sha256:
        _refuse("wrong-hash", "a tensor file does not have the SHA-256 that its envelope commits")
    return _views(data, offsets, spec)


def _contiguous(tensors: Mapping[str, Array]) -> dict[str, Array]:
    # The library takes an array's memory as it lies, whatever its strides are.
    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    for array in arrays.values():
        TensorSpec.of(array)
    return arrays


def _header_limit(spec: Mapping[str, TensorSpec]) -> int:
    # Per tensor: the name (escaped at worst to six bytes a character), its shape, two offsets of at most 20
    # digits, and about 50 bytes of JSON around them. 64 for braces and the padding.
    return 64 + sum(6 * len(name) + 21 * len(tensor.shape) + 112 for name, tensor in spec.items())


def _header_length(start: bytes, spec: Mapping[str, TensorSpec]) -> int:
    if len(start) < _LENGTH:
        _refuse("truncated", f"a tensor file has {len(start)} bytes; its header alone needs more")
    length, limit = int.from_bytes(start, "little"), _header_limit(spec)
    if length > limit:
        _refuse("malformed", f"header of a tensor file has {length} bytes; at most {limit} are expected")
    return length


def _check_header(
    header: bytes, length: int, spec: Mapping[str, TensorSpec], available: int
) -> dict[str, tuple[int, int]]:
    """Where each tensor's bytes begin and end, after every check that needs no data."""
    if len(header) != length:
        _refuse("truncated", f"header of a tensor file has {len(header)} of {length} bytes")
    entries = _parse_header(header)
    _check_names(entries, spec)
    offsets = {name: _check_entry(name, entries[name], spec[name]) for name in spec}
    needed = _check_tiling(offsets)
    if available != needed:
        code = "truncated" if available < needed else "malformed"
        _refuse(code, f"a tensor file has {available} bytes of data; its header says {needed}")
    return offsets


def _parse_header(header: bytes) -> dict[str, Any]:
    try:
        entries = json.loads(header.decode("utf-8"), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        _refuse("malformed", f"header of a tensor file is not JSON ({type(error).__name__})")
    if not isinstance(entries, dict):
        _refuse("malformed", "header of a tensor file is not a JSON object")
    return entries


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name stands twice")
    return result


def _check_names(entries: Mapping[str, Any], spec: Mapping[str, TensorSpec]) -> None:
    missing, extra = sorted(spec.keys() - entries.keys()), sorted(entries.keys() - spec.keys())
    if missing or extra:
        _refuse(
            "wrong-tensors",
            f"a tensor file lacks {len(missing)} of {len(spec)} tensors ({_some(missing)}) and has "
            f"{len(extra)} that are not expected ({_some(extra)})",
        )


def _check_entry(name: str, entry: Any, spec: TensorSpec) -> tuple[int, int]:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        _refuse("malformed", f"tensor {name!r}: its entry needs dtype, shape and data_offsets, nothing else")
    if entry["dtype"] != (code := _CODES[spec.dtype]):
        _refuse("wrong-dtype", f"tensor {name!r}: dtype {entry['dtype']!r:.40}; legal: {code!r}")
    if not _integers(entry["shape"]) or tuple(entry["shape"]) != spec.shape:
        _refuse("wrong-shape", f"tensor {name!r}: shape {entry['shape']!r:.80}; legal: {list(spec.shape)}")
    offsets = entry["data_offsets"]
    if not _integers(offsets) or len(offsets) != 2 or offsets[1] - offsets[0] != spec.nbytes:
        _refuse("malformed", f"tensor {name!r}: offsets {offsets!r:.80} do not span {spec.nbytes} bytes")
    return offsets[0], offsets[1]


def _check_tiling(offsets: Mapping[str, tuple[int, int]]) -> int:
    """The end of the data, if the tensors lie end to end from byte 0: no overlap, no gap to hide in."""
    end = 0
    for name, (start, stop) in sorted(offsets.items(), key=lambda item: item[1]):
        if start != end:
            _refuse("malformed", f"tensor {name!r}: data begins at byte {start}; legal: {end}")
        end = stop
    return end


def _views(
    data: npt.NDArray[np.uint8], offsets: Mapping[str, tuple[int, int]], spec: Mapping[str, TensorSpec]
) -> dict[str, Array]:
    data.setflags(write=False)
    return {name: _view(name, data[start:stop], spec[name]) for name, (start, stop) in offsets.items()}


def _view(name: str, data: npt.NDArray[np.uint8], spec: TensorSpec) -> Array:
    if spec.dtype == "bool" and data.size and data.max() > 1:
        _refuse("malformed", f"tensor {name!r}: a bool has the byte {data.max()}; legal: 0 and 1")
    return data.view(np.dtype(spec.dtype).newbyteorder("<")).reshape(spec.shape)


def _integers(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _some(names: list[str]) -> str:
    return ", ".join(f"{name[:60]!r}" for name in names[:3]) or "none"


def _refuse(code: str, message: str) -> NoReturn:
    raise RefusedError(message, code=code)
