"""Shards keep arrays exactly, and notice when somebody changed them."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wardround.imaging.dataset import DatasetError, DatasetInfo
from wardround.imaging.shards import load_split, stream_split, write_dataset

LABELS = ["normal", "opacity"]


def images(count: int, dtype: str, shape: tuple[int, ...] = (6, 5, 1)) -> np.ndarray:
    values = np.random.default_rng(1).integers(0, 256, (count, *shape))
    return (values / 255).astype(dtype) if dtype == "float32" else values.astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("shape", [(6, 5, 1), (4, 6, 5, 1)])
def test_what_was_written_is_read_back_in_order_and_type(
    tmp_path: Path, dtype: str, shape: tuple[int, ...]
) -> None:
    wanted, labels = images(7, dtype, shape), np.array([0, 1, 1, 0, 0, 1, 0])
    info = write_dataset(tmp_path, {"train": (wanted, labels)}, LABELS, shard_size=3)
    read = load_split(tmp_path, "train")
    assert read.images.dtype == dtype and read.labels.dtype == np.int32
    np.testing.assert_array_equal(read.images, wanted)
    np.testing.assert_array_equal(read.labels, labels)
    assert info.splits["train"].files[0].name == "train-00000-of-00003.tfrecord"
    assert info.splits["train"].counts == {"normal": 4, "opacity": 3}
    assert float((read.images * np.float32(info.scale)).max()) <= 1.0


def test_a_stream_gives_the_same_elements_as_loading(tmp_path: Path) -> None:
    write_dataset(tmp_path, {"test": (images(9, "uint8"), np.zeros(9, int))}, LABELS, shard_size=4)
    streamed = [image for image, _ in stream_split(tmp_path, "test")]
    np.testing.assert_array_equal(np.stack(streamed), load_split(tmp_path, "test").images)


def test_an_empty_split_is_legal_and_has_the_element_shape(tmp_path: Path) -> None:
    write_dataset(tmp_path, {"train": (images(0, "uint8"), np.zeros(0, int))}, LABELS)
    assert load_split(tmp_path, "train").images.shape == (0, 6, 5, 1)


def test_the_same_arrays_give_the_same_digest_in_another_folder(tmp_path: Path) -> None:
    split = {"train": (images(5, "uint8"), np.zeros(5, int))}
    first, second = (write_dataset(tmp_path / name, split, LABELS) for name in ("a", "b"))
    assert first.digest == second.digest


def test_an_altered_shard_is_refused(tmp_path: Path) -> None:
    info = write_dataset(tmp_path, {"train": (images(5, "uint8"), np.zeros(5, int))}, LABELS)
    shard = tmp_path / info.splits["train"].files[0].name
    content = bytearray(shard.read_bytes())
    content[40] ^= 1
    shard.write_bytes(content)
    with pytest.raises(DatasetError, match="altered"):
        load_split(tmp_path, "train")


def test_an_altered_description_is_refused(tmp_path: Path) -> None:
    write_dataset(tmp_path, {"train": (images(5, "uint8"), np.zeros(5, int))}, LABELS)
    path = tmp_path / "dataset.json"
    path.write_text(
        path.read_text().replace('"normal": 5', '"normal": 4').replace('"opacity": 0', '"opacity": 1')
    )
    with pytest.raises(DatasetError, match="digest"):
        DatasetInfo.load(tmp_path)


@pytest.mark.parametrize("name", ["../train-00000-of-00001.tfrecord", "/etc/passwd", "a.tfrecord"])
def test_a_description_that_points_outside_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    write_dataset(tmp_path, {"train": (images(1, "uint8"), np.zeros(1, int))}, LABELS)
    content = json.loads((tmp_path / "dataset.json").read_text())
    content["splits"]["train"]["files"][0]["name"] = name
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="tfrecord"):
        DatasetInfo.load(tmp_path)


def test_an_unknown_split_is_answered_with_the_legal_names(tmp_path: Path) -> None:
    write_dataset(tmp_path, {"train": (images(1, "uint8"), np.zeros(1, int))}, LABELS)
    with pytest.raises(DatasetError, match="legal: train"):
        load_split(tmp_path, "validation")


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_outside_the_list_is_refused(tmp_path: Path, label: int) -> None:
    with pytest.raises(DatasetError, match=r"legal: 0\.\.1"):
        write_dataset(tmp_path, {"train": (images(1, "uint8"), np.array([label]))}, LABELS)


def test_a_folder_without_a_description_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="wardround site preprocess"):
        DatasetInfo.load(tmp_path)


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_bytes_as_description_are_read_or_refused_cleanly(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    folder = tmp_path_factory.mktemp("d")
    (folder / "dataset.json").write_bytes(raw)
    with pytest.raises(DatasetError):
        DatasetInfo.load(folder)
