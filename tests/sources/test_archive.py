"""From a real archive to shards: what is selected, what is fetched again, and what the next run finds."""

import logging
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from wardround.imaging.dataset import DatasetInfo
from wardround.imaging.labels import write_labels
from wardround.imaging.sources.errors import EmptySelectionError
from wardround.imaging.sources.prepare import Order, prepare
from wardround.imaging.writer import Grey, Origin, write_dx

from .conftest import NAME, STUDIES, Hospital
from .orthanc import PASSWORD, Orthanc

MakeOrder = Callable[..., Order]
Steps = list[tuple[str, int, int]]


def shards(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.glob("*.tfrecord")}


def total(info: DatasetInfo) -> int:
    return sum(split.count for split in info.splits.values())


def incoming(folder: Path) -> list[Path]:
    return list((folder / "incoming").rglob("*.dcm"))


def test_what_an_archive_hands_over_gives_the_shards_of_the_same_files_in_a_folder(
    filled: Orthanc, hospital: Hospital, order: MakeOrder, tmp_path: Path
) -> None:
    seen: Steps = []
    fetched = prepare(order(filled.url), progress=lambda *step: seen.append(step))
    read = prepare(order(str(hospital.files), out="folder"))
    assert fetched == read and total(fetched) == STUDIES
    assert shards(tmp_path / "out") == shards(tmp_path / "folder") != {}
    assert seen[0] == ("fetch", 0, STUDIES) and ("fetch", STUDIES, STUDIES) in seen


def test_files_arrive_byte_by_byte_as_they_were_stored(
    filled: Orthanc, hospital: Hospital, order: MakeOrder, tmp_path: Path
) -> None:
    prepare(order(filled.url, keep_files=True))
    stored = sorted(path.read_bytes() for path in hospital.files.iterdir())
    assert sorted(path.read_bytes() for path in incoming(tmp_path)) == stored


@pytest.mark.parametrize(
    ("chosen", "studies"),
    [
        ({}, 40),
        ({"labelled_only": False}, 40),
        ({"labelled_only": False, "page_size": 7}, 40),
        ({"since": "2012-01-01", "until": "2013-12-31"}, 8),
        ({"until": "2010-06-15"}, 4),
        ({"study_descriptions": ["Thorax p*"], "labelled_only": False}, 30),
        ({"study_descriptions": ["thorax p*", "*RIGHT"], "labelled_only": False, "since": "2015-01-01"}, 20),
        ({"body_parts": ["HAND"]}, 10),
        ({"body_parts": ["HAND", "FOOT"], "labelled_only": False, "until": "2014-12-31"}, 5),
    ],
)
def test_a_selection_takes_what_it_says(
    filled: Orthanc, order: MakeOrder, tmp_path: Path, chosen: dict[str, object], studies: int
) -> None:
    info = prepare(order(filled.url, keep_files=True, **chosen))
    assert len(incoming(tmp_path)) == studies == total(info) + sum(info.refusals.values())


@pytest.mark.parametrize(
    ("column", "keyword"),
    [
        ("accession", "AccessionNumber"),
        ("study", "StudyInstanceUID"),
        ("patient", "PatientID"),
        ("series", "SeriesInstanceUID"),
        ("sop_instance", "SOPInstanceUID"),
    ],
)
def test_only_studies_that_the_label_table_names_are_fetched(
    filled: Orthanc, hospital: Hospital, order: MakeOrder, tmp_path: Path, column: str, keyword: str
) -> None:
    files = [pydicom.dcmread(hospital.files / f"{index:03d}.dcm") for index in range(9)]
    rows = [(str(file[keyword].value), "normal") for file in files]
    labels = write_labels(tmp_path / "few.csv", column, rows)
    info = prepare(order(filled.url, labels=labels, keep_files=True))
    assert len(incoming(tmp_path)) == total(info) == (18 if column == "patient" else 9)


def test_a_selection_that_nothing_matches_is_an_error(filled: Orthanc, order: MakeOrder) -> None:
    with pytest.raises(EmptySelectionError):
        prepare(order(filled.url, since="2031-01-01"))


def test_copies_are_removed_and_the_next_run_finds_the_dataset_without_fetching(
    filled: Orthanc, order: MakeOrder, tmp_path: Path
) -> None:
    first, seen = prepare(order(filled.url)), Steps()
    assert incoming(tmp_path) == []
    assert prepare(order(filled.url), progress=lambda *step: seen.append(step)) == first and seen == []


def test_another_label_table_makes_another_dataset_from_copies_that_were_kept(
    filled: Orthanc, hospital: Hospital, order: MakeOrder, tmp_path: Path
) -> None:
    first = prepare(order(filled.url, keep_files=True))
    other = tmp_path / "other.csv"
    other.write_text(hospital.labels.read_text().replace("normal", "x").replace("opacity", "normal"))
    seen: Steps = []
    second = prepare(order(filled.url, labels=other, keep_files=True), progress=lambda *s: seen.append(s))
    assert second != first and seen[0] == ("fetch", STUDIES, STUDIES)


def test_files_that_were_fetched_again_are_recognised(
    filled: Orthanc, order: MakeOrder, tmp_path: Path
) -> None:
    first = prepare(order(filled.url))
    (tmp_path / "out/.intake/source.json").unlink()
    seen: Steps = []
    assert prepare(order(filled.url), progress=lambda *step: seen.append(step)) == first
    assert ("fetch", STUDIES, STUDIES) in seen and "decode" not in {stage for stage, _, _ in seen}


def test_copies_are_for_their_owner_only_and_named_by_hashes(
    filled: Orthanc, hospital: Hospital, order: MakeOrder, tmp_path: Path
) -> None:
    prepare(order(filled.url, keep_files=True))
    (spool,) = (tmp_path / "incoming").iterdir()
    assert spool.stat().st_mode & 0o077 == 0
    names = "\n".join(str(path) for path in spool.rglob("*"))
    assert not any(uid in names for uid in hospital.studies)


def test_no_log_line_names_a_study_a_patient_or_the_password(
    filled: Orthanc, hospital: Hospital, order: MakeOrder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        prepare(order(filled.url))
    assert not any(secret in caplog.text for secret in (*hospital.studies, NAME, PASSWORD, "accession"))


def test_a_large_file_passes_through_in_blocks(order: MakeOrder, tmp_path: Path) -> None:
    size, stored = 64 << 20, np.random.default_rng(0).integers(0, 4096, (8192, 4096)).astype(np.uint16)
    write_dx(tmp_path / "large.dcm", stored, Origin("P", NAME, "s", "r", "i"), Grey(12))
    uid = str(pydicom.dcmread(tmp_path / "large.dcm", stop_before_pixels=True).StudyInstanceUID)
    del stored
    with Orthanc(tmp_path / "orthanc") as archive:
        archive.store([tmp_path / "large.dcm"])
        wanted = order(archive.url, labels=write_labels(tmp_path / "one.csv", "study", [(uid, "normal")]))
        peaks: list[int] = []

        def measure(stage: str, done: int, _: int) -> None:
            if stage == "fetch" and not done:
                tracemalloc.start()
            elif stage == "fetch":
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
                raise KeyboardInterrupt  # the decoder's memory is another matter

        with pytest.raises(KeyboardInterrupt):
            prepare(wanted, progress=measure)
    (copy,) = incoming(tmp_path)
    assert copy.stat().st_size > size and peaks[0] < size // 4
