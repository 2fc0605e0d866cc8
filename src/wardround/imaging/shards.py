"""TFRecord shards: the only module of `imaging` that imports TensorFlow.

A record is a `tf.train.Example` with `image` (the array's bytes, row-major, little-endian) and
`label` (int64, the class index).
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from wardround.imaging.dataset import DatasetError, DatasetInfo, ShardFile, SplitInfo

Batch = tuple[np.ndarray, np.ndarray]
_DTYPES = ("uint8", "uint16", "float32")
_READ_BATCH = 256
_SHOWN = 10  # places of images, in an error
# TFRecord: length (uint64), its checksum (uint32), as many bytes, their checksum (uint32).
_LENGTH, _CHECKSUM = 8, 4
# What names and types take beside an image and a label in an Example.
_EXAMPLE = 1024


@dataclass(frozen=True)
class Arrays:
    """One split in memory: images [N, …, 1] in the stored dtype, labels int32 [N]."""

    images: np.ndarray
    labels: np.ndarray


def write_dataset(
    out: Path,
    splits: Mapping[str, Batch],
    labels: Sequence[str],
    *,
    shard_size: int = 2048,
    settings: Mapping[str, Any] | None = None,
) -> DatasetInfo:
    """Writes arrays as a dataset: per split images [N, …, 1] (uint8, uint16 or float32) and integer labels [N].

    Raises DatasetError if shapes or dtypes differ between splits or a label is out of range.
    """
    shape, dtype = _common_element(splits)
    out.mkdir(parents=True, exist_ok=True)
    infos = {
        name: write_split(out, name, [batch], len(batch[1]), labels, shard_size)
        for name, batch in splits.items()
    }
    info = DatasetInfo.create(
        shape=shape,
        dtype=dtype,
        labels=tuple(labels),
        splits=infos,
        refusals={},
        settings=dict(settings or {}),
    )
    info.save(out)
    return info


def write_split(
    out: Path, split: str, batches: Iterable[Batch], count: int, labels: Sequence[str], shard_size: int
) -> SplitInfo:
    """Streams `count` records from batches (images [n, …, 1], labels [n]) into shards of `shard_size`.

    Each shard appears under its name only when it is complete. Raises DatasetError if the batches hold
    another number of records or a label outside `labels`.
    """
    if shard_size < 1:
        raise DatasetError(f"shard_size {shard_size} is not legal; give 1 or more")
    shards = -(-count // shard_size)
    records = _records(batches, len(labels))
    files, counts = [], Counter[int]()
    for index in range(shards):
        name = f"{split}-{index:05d}-of-{shards:05d}.tfrecord"
        size = min(shard_size, count - index * shard_size)
        file, seen = _write_shard(out / name, records, size)
        files.append(file)
        counts += seen
    if next(records, None) is not None:
        raise DatasetError(f"split {split!r} holds more than the {count} records announced")
    return SplitInfo(files=tuple(files), counts={name: counts[index] for index, name in enumerate(labels)})


def load_split(folder: Path, split: str) -> Arrays:
    """Reads a whole split, after comparing every file with its SHA-256.

    Returns images [N, …, 1] in the stored dtype and labels int32 [N]; memory is the split once.
    Raises DatasetError if a file is missing, altered, or holds another number of records.
    """
    info = DatasetInfo.load(folder)
    files = _verified(Path(folder), info.split(split), info)
    count = info.split(split).count
    images = np.empty((count, *info.shape), info.dtype)
    labels = np.empty(count, np.int32)
    filled = 0
    with _parsing(split):
        # The files have as many records as they should (`_check_records`).
        for batch, classes in _batches(files, info).as_numpy_iterator():
            # Before they become int32, in which others look like these.
            if not 0 <= classes.min() <= classes.max() < len(info.labels):
                raise DatasetError(f"split {split!r} holds labels that are none; write it again")
            images[filled : filled + len(classes)] = batch
            labels[filled : filled + len(classes)] = classes
            filled += len(classes)
    if filled != count:
        raise DatasetError(f"split {split!r} holds {filled} records, {count} are listed; write it again")
    _check_finite(images, split)
    return Arrays(images, labels)


def _check_finite(images: np.ndarray, split: str) -> None:
    """One pixel that is no number makes a whole update one, which TFF then sets to zero: it would be gone silently."""
    if not np.issubdtype(images.dtype, np.floating):
        return
    bad = [place for place, image in enumerate(images) if not np.isfinite(image).all()]
    if bad:
        places = ", ".join(map(str, bad[:_SHOWN])) + ("…" if len(bad) > _SHOWN else "")
        raise DatasetError(
            f"split {split!r}: {len(bad)} of {len(images)} images hold NaN or infinity, at the places {places} "
            "(from 0); write the data set again without them"
        )


def stream_split(folder: Path, split: str) -> Iterator[tuple[np.ndarray, int]]:
    """A split too large for memory: each image […, 1] in the stored dtype and its label, verified first.

    Raises DatasetError, for records that are no images of this dataset when they are reached.
    """
    info = DatasetInfo.load(folder)
    files = _verified(Path(folder), info.split(split), info)
    with _parsing(split):
        for image, label in _batches(files, info).unbatch().as_numpy_iterator():
            if not 0 <= label < len(info.labels):
                raise DatasetError(f"split {split!r} holds labels that are none; write it again")
            yield image, int(label)


@contextmanager
def _parsing(split: str) -> Iterator[None]:
    """TensorFlow's errors, whose texts quote what was read, as one of ours."""
    try:
        yield
    except tf.errors.OpError as error:
        raise DatasetError(
            f"split {split!r} holds records that are no images of its shape ({type(error).__name__}); write it again"
        ) from None


def _common_element(splits: Mapping[str, Batch]) -> tuple[tuple[int, ...], str]:
    kinds = {(images.shape[1:], images.dtype.name) for images, _ in splits.values()}
    if len(kinds) != 1:
        raise DatasetError(
            f"all splits must share one element shape and dtype, received {sorted(map(str, kinds))}"
        )
    shape, dtype = kinds.pop()
    if dtype not in _DTYPES or len(shape) not in (3, 4):
        raise DatasetError(
            f"images of shape [N, {', '.join(map(str, shape))}] and dtype {dtype} cannot be stored; "
            f"legal: [N, H, W, C] or [N, D, H, W, C] of {', '.join(_DTYPES)}"
        )
    return shape, dtype


def _records(batches: Iterable[Batch], classes: int) -> Iterator[tuple[bytes, int]]:
    for images, labels in batches:
        if len(images) != len(labels):
            raise DatasetError(f"{len(images)} images came with {len(labels)} labels")
        if len(labels) and (labels.min() < 0 or labels.max() >= classes):
            raise DatasetError(
                f"labels {labels.min()}..{labels.max()} are not legal; legal: 0..{classes - 1}"
            )
        stored = images.astype(images.dtype.newbyteorder("<"), copy=False)
        for image, label in zip(stored, labels.tolist(), strict=True):
            yield image.tobytes(), label


def _write_shard(
    path: Path, records: Iterator[tuple[bytes, int]], size: int
) -> tuple[ShardFile, Counter[int]]:
    part = path.with_name(f".{path.name}.part")
    seen = Counter[int]()
    with tf.io.TFRecordWriter(os.fspath(part)) as writer:
        for image, label in _take(records, size):
            writer.write(_example(image, label))
            seen[label] += 1
    if seen.total() != size:
        part.unlink()
        raise DatasetError(f"{path.name} got {seen.total()} of {size} records announced")
    os.replace(part, path)
    file = ShardFile(name=path.name, count=size, bytes=path.stat().st_size, sha256=_sha256(path))
    return file, seen


def _take(records: Iterator[tuple[bytes, int]], size: int) -> Iterator[tuple[bytes, int]]:
    for _ in range(size):
        record = next(records, None)
        if record is None:
            return
        yield record


def _example(image: bytes, label: int) -> bytes:
    feature = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    return bytes(example.SerializeToString(deterministic=True))


def _verified(folder: Path, split: SplitInfo, info: DatasetInfo) -> list[str]:
    for file in split.files:
        path = folder / file.name
        if not path.is_file() or path.stat().st_size != file.bytes or _sha256(path) != file.sha256:
            raise DatasetError(f"{file.name} is missing or altered; run the preprocessing again")
        _check_records(path, file, info.element_bytes + _EXAMPLE)
    return [os.fspath(folder / file.name) for file in split.files]


def _check_records(path: Path, file: ShardFile, most: int) -> None:
    """Follows the lengths that stand in a shard: TensorFlow asks for the memory of any, and ends the process."""
    with path.open("rb") as stream:
        at = count = 0
        while at < file.bytes:
            stream.seek(at)
            length = int.from_bytes(stream.read(_LENGTH), "little")
            at += _LENGTH + _CHECKSUM + length + _CHECKSUM
            count += 1
            if length > most or at > file.bytes or count > file.count:
                break
    if at != file.bytes or count != file.count:
        raise DatasetError(
            f"{file.name} does not hold {file.count} records of this dataset; run the preprocessing again"
        )


def _batches(files: list[str], info: DatasetInfo) -> tf.data.Dataset:
    spec = {"image": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.int64)}

    def parse(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        batch = tf.io.parse_example(serialized, spec)
        flat = tf.io.decode_raw(batch["image"], info.dtype)
        return tf.reshape(flat, [tf.shape(batch["label"])[0], *info.shape]), batch["label"]

    records = tf.data.TFRecordDataset(files, buffer_size=8 << 20)
    plain = tf.autograph.experimental.do_not_convert(
        parse
    )  # nothing to convert, and looking takes half a second
    return records.batch(_READ_BATCH).map(plain).prefetch(1)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
