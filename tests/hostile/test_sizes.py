"""Whatever is read as a whole has a size first, and what a file claims to hold is there before memory is asked for."""

import hashlib
import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wardround.errors import ConfigurationError, RefusedError, WardroundError
from wardround.imaging.assignments import Assignments
from wardround.imaging.burned_in.regions import load_catalogue
from wardround.imaging.dataset import FILE_NAME, DatasetError, DatasetInfo
from wardround.imaging.deid.options import load_options
from wardround.imaging.deid.pseudonyms import read_key
from wardround.imaging.quarantine import ENTRY, FOLDER, Quarantine
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.shards import load_split, stream_split, write_dataset
from wardround.imaging.statistics.model import Statistics
from wardround.limited import read_limited
from wardround.plan.format import load_plan

READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "split key": ("key", lambda p: IntakeSettings(labels=("a",), size=(8, 8), split_key_file=p).split_key()),
    "splits": ("splits.csv", lambda p: Assignments(p, (1, 0, 0)).read()),
    "devices": ("devices.yaml", load_catalogue),
    "dataset": (FILE_NAME, lambda p: DatasetInfo.load(p.parent)),
    "statistics": ("statistics.json", lambda p: Statistics.load(p.parent)),
    "deid key": ("key", read_key),
    "deid options": ("options.yaml", load_options),
    "quarantine": (
        f"{FOLDER}/0123456789abcdef/{ENTRY}",
        lambda p: Quarantine(p.parents[2]).state_of("0123456789abcdef", "0" * 64),
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_file_of_many_gigabytes_is_refused_before_it_is_read(reader: str, tmp_path: Path) -> None:
    name, read = READERS[reader]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no room on the disk
    with pytest.raises(WardroundError):
        read(path)


def test_a_file_that_is_no_file_or_grows_is_not_read_for_ever(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    # Its size is said to be 0, and it has content.
    (tmp_path / "grows").symlink_to("/proc/self/maps")
    for name in ("pipe", "zero", "grows"):
        with pytest.raises(ConfigurationError):
            read_limited(tmp_path / name, 100, "file")
    (tmp_path / "small").write_bytes(b"x" * 100)
    (tmp_path / "link").symlink_to("small")
    assert read_limited(tmp_path / "link", 100, "file") == b"x" * 100


@pytest.mark.parametrize("name", ["plan.json", "graphs/work.pb"])
@pytest.mark.parametrize("what", ["pipe", "device"])
def test_a_plans_folder_with_a_pipe_or_a_device_in_it_is_refused_at_once(
    plan_folder: Path, tmp_path: Path, name: str, what: str
) -> None:
    shutil.copytree(plan_folder, tmp_path / "plan")
    path = tmp_path / "plan" / name
    path.unlink()
    os.mkfifo(path) if what == "pipe" else path.symlink_to("/dev/zero")
    with pytest.raises(RefusedError) as caught:
        load_plan(tmp_path / "plan")
    assert caught.value.code == "missing"


def masked(checksum: int) -> int:
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def record(content: bytes, length: int | None = None) -> bytes:
    """A TFRecord whose length has a right checksum, whatever it says."""
    head = struct.pack("<Q", len(content) if length is None else length)
    return (
        head + struct.pack("<I", masked(crc32c(head))) + content + struct.pack("<I", masked(crc32c(content)))
    )


def example(image: bytes, label: int) -> bytes:
    from wardround.imaging.shards import _example

    return _example(image, label)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two images of 8 × 8 in the split `train`."""
    images = np.zeros((2, 8, 8, 1), np.uint8)
    write_dataset(tmp_path, {"train": (images, np.array([0, 1]))}, ("normal", "opacity"))
    return tmp_path


def altered(dataset: Path, content: bytes | None = None, **file: object) -> None:
    """The dataset with another shard or description, and all digests right."""
    described = json.loads((dataset / FILE_NAME).read_text())
    shard = described["splits"]["train"]["files"][0]
    if content is not None:
        (dataset / shard["name"]).write_bytes(content)
        shard |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    shard |= file
    described["splits"]["train"]["counts"] = {"normal": shard["count"] - 1, "opacity": 1}
    del described["digest"]
    canonical = json.dumps(described, sort_keys=True, separators=(",", ":"))
    described["digest"] = hashlib.sha256(canonical.encode()).hexdigest()
    (dataset / FILE_NAME).write_text(json.dumps(described))


GOOD = example(b"\0" * 64, 1)
SHARDS = {
    "a record of 2^62 bytes": record(GOOD) + record(GOOD, 1 << 62),
    "a record of 2^64-1 bytes": record(GOOD) + record(GOOD, (1 << 64) - 1),
    "a record of 4 GiB": record(GOOD, 1 << 32) + record(GOOD),
    "a record too many": record(GOOD) * 3,
    "a record too few": record(GOOD + b"\x42" * 200),
    "one cut off": record(GOOD) + record(GOOD)[:-3],
    "no example": record(b"secret" * 20) * 2,
    "another size of image": record(example(b"\0" * 63, 1)) * 2,
    "two images in one": record(example(b"\0" * 128, 1)) * 2,
    "sizes that differ": record(example(b"\0" * 32, 1)) + record(example(b"\0" * 96, 1)),
    "a label that is none": record(GOOD) + record(example(b"\0" * 64, 2)),
    "a label below all": record(GOOD) + record(example(b"\0" * 64, -1)),
    "a label that wraps": record(GOOD) + record(example(b"\0" * 64, 1 << 32)),
    "a broken checksum": record(GOOD) + record(GOOD)[:-4] + b"\0\0\0\0",
}


@pytest.mark.parametrize("shard", SHARDS)
def test_a_shard_that_lies_is_refused_and_nothing_of_it_is_quoted(shard: str, dataset: Path) -> None:
    altered(dataset, SHARDS[shard])
    for read in (load_split, lambda folder, split: list(stream_split(folder, split))):
        with pytest.raises(DatasetError) as error:
            read(dataset, "train")
        assert "secret" not in str(error.value) and error.value.__cause__ is None


def test_more_records_than_a_file_can_hold_are_not_asked_for(dataset: Path) -> None:
    load_split(dataset, "train")
    for count in (4, 10**12, 2**63):
        altered(dataset, count=count)
        with pytest.raises(DatasetError, match="too small"):
            load_split(dataset, "train")


def test_a_damaged_description_is_not_quoted(dataset: Path) -> None:
    (dataset / FILE_NAME).write_text('{"labels": "\\u001b[2Jsecret", "shape": ["secret"]}')
    with pytest.raises(DatasetError) as error:
        DatasetInfo.load(dataset)
    assert "secret" not in str(error.value) and "\x1b" not in str(error.value)
