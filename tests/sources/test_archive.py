"""From a real archive to shards, undisturbed."""

from collections.abc import Callable
from pathlib import Path

from wardround.imaging.sources.prepare import Order, prepare

from .conftest import STUDIES, Hospital
from .orthanc import Orthanc

MakeOrder = Callable[..., Order]


def shards(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.glob("*.tfrecord")}


def test_what_an_archive_hands_over_gives_the_shards_of_the_same_files_in_a_folder(
    filled: Orthanc, hospital: Hospital, order: MakeOrder, tmp_path: Path
) -> None:
    seen: list[tuple[str, int, int]] = []
    fetched = prepare(order(filled.url), progress=lambda *step: seen.append(step))
    read = prepare(order(str(hospital.files), out="folder"))
    assert fetched == read and sum(split.count for split in fetched.splits.values()) == STUDIES
    assert shards(tmp_path / "out") == shards(tmp_path / "folder") != {}
    assert seen[0] == ("fetch", 0, STUDIES) and ("fetch", STUDIES, STUDIES) in seen
