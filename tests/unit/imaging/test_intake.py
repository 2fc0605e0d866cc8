"""The whole intake, from a folder of DICOM and a table to shards."""

import csv
import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from imaging_cases import Label, Settings, WriteSeries, WriteXray, crash_on_x7, hang_on_x7, picture

from wardround.errors import ConfigurationError
from wardround.imaging import intake
from wardround.imaging.dataset import DatasetInfo
from wardround.imaging.intake import IntakeError, preprocess
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.shards import load_split


@pytest.fixture
def hospital(tmp_path: Path, write_xray: WriteXray, label: Label) -> tuple[Path, Path]:
    """Forty images of twenty patients, and their labels."""
    rng = np.random.default_rng(0)
    names = {}
    for index in range(40):
        stored = picture() // 2 + rng.integers(0, 2000, picture().shape).astype(np.uint16)
        names[write_xray(f"{index % 3}/x{index}", f"P{index // 2}", stored)] = ("normal", "opacity")[
            index % 3 == 0
        ]
    return tmp_path / "source", label(names)


def refusals(out: Path) -> dict[str, str]:
    with (out / "refusals.csv").open() as stream:
        return {row["file"]: row["reason"] for row in csv.DictReader(stream)}


def total(info: DatasetInfo) -> int:
    return sum(split.count for split in info.splits.values())


def test_images_labels_and_counts_arrive(
    tmp_path: Path, hospital: tuple[Path, Path], settings: Settings
) -> None:
    seen = []
    info = preprocess(*hospital, tmp_path / "out", settings(), lambda *step: seen.append(step))
    assert total(info) == 40 and info.refusals == {} and info.shape == (16, 16, 1) and info.dtype == "uint8"
    loaded = [load_split(tmp_path / "out", split) for split in info.splits]
    assert sum(int(arrays.labels.sum()) for arrays in loaded) == 14
    assert seen[0] == ("scan", 0, 40) and seen[-1] == ("decode", 40, 40)
    assert info.settings["labels"] == ["normal", "opacity"] and "split_key_file" not in info.settings


def test_the_digest_depends_on_neither_workers_nor_file_order(
    tmp_path: Path, hospital: tuple[Path, Path], settings: Settings
) -> None:
    alone = preprocess(*hospital, tmp_path / "alone", settings())
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    for place, path in enumerate(sorted(hospital[0].rglob("*.dcm"), reverse=True)):
        (renamed / f"{place}.bin").write_bytes(path.read_bytes())
    together = preprocess(renamed, hospital[1], tmp_path / "together", settings(workers=2))
    assert alone.digest == together.digest


def test_sixteen_bits_are_stored_when_asked_for(
    tmp_path: Path, hospital: tuple[Path, Path], settings: Settings
) -> None:
    info = preprocess(*hospital, tmp_path / "out", settings(bits=16))
    assert info.dtype == "uint16" and load_split(tmp_path / "out", "train").images.max() > 255


def test_nobody_straddles_two_splits(tmp_path: Path, hospital: tuple[Path, Path], settings: Settings) -> None:
    # Two images a patient: so every split has an even number of them.
    info = preprocess(*hospital, tmp_path / "out", settings())
    assert all(split.count % 2 == 0 for split in info.splits.values())


def test_a_finished_intake_is_not_done_again_and_a_changed_one_is(
    tmp_path: Path, hospital: tuple[Path, Path], settings: Settings
) -> None:
    out, seen = tmp_path / "out", []
    first = preprocess(*hospital, out, settings())
    assert preprocess(*hospital, out, settings(), lambda *step: seen.append(step)) == first and not seen
    assert preprocess(*hospital, out, settings(size=(8, 8))).shape == (8, 8, 1)
    assert preprocess(*hospital, out, settings()) == first


def test_an_intake_that_was_interrupted_goes_on_and_ends_the_same(
    tmp_path: Path, hospital: tuple[Path, Path], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "_CHUNK_ITEMS", 4)
    wanted = preprocess(*hospital, tmp_path / "undisturbed", settings())

    def interrupt(stage: str, done: int, _: int) -> None:
        if stage == "decode" and done >= 12:
            raise KeyboardInterrupt

    out, seen = tmp_path / "out", []
    with pytest.raises(KeyboardInterrupt):
        preprocess(*hospital, out, settings(), interrupt)
    assert not (out / "dataset.json").exists()
    resumed = preprocess(*hospital, out, settings(), lambda *step: seen.append(step))
    assert resumed.digest == wanted.digest and seen[0] == ("scan", 40, 40) and seen[1][1] >= 12


def _killed_while_decoding(source: Path, labels: Path, out: Path, settings: IntakeSettings) -> None:
    intake._CHUNK_ITEMS = 4

    def kill(stage: str, done: int, _: int) -> None:
        if stage == "decode" and done >= 8:
            os.kill(os.getpid(), signal.SIGKILL)

    preprocess(source, labels, out, settings, kill)


def test_an_intake_that_was_killed_goes_on_and_ends_the_same(
    tmp_path: Path, hospital: tuple[Path, Path], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "_CHUNK_ITEMS", 4)
    process = multiprocessing.get_context("spawn").Process(
        target=_killed_while_decoding, args=(*hospital, tmp_path / "out", settings(workers=2))
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL and not (tmp_path / "out" / "dataset.json").exists()
    wanted = preprocess(*hospital, tmp_path / "undisturbed", settings())
    assert preprocess(*hospital, tmp_path / "out", settings()).digest == wanted.digest


def test_a_process_that_a_file_crashes_costs_only_that_file(
    tmp_path: Path, hospital: tuple[Path, Path], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "run_chunk", crash_on_x7)
    info = preprocess(*hospital, tmp_path / "out", settings(workers=2))
    assert info.refusals == {"decoder-crash": 1} and total(info) == 39
    assert refusals(tmp_path / "out") == {"1/x7.dcm": "decoder-crash"}


def test_a_file_that_a_decoder_hangs_on_is_given_up(
    tmp_path: Path, hospital: tuple[Path, Path], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "run_chunk", hang_on_x7)
    info = preprocess(*hospital, tmp_path / "out", settings(workers=2, seconds=2))
    assert info.refusals == {"too-slow": 1} and total(info) == 39
    with (tmp_path / "out" / "refusals.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert row["sop_class"] == "Digital X-Ray Image Storage - For Presentation"
    assert row["transfer_syntax"] == "Explicit VR Little Endian"


def test_series_become_volumes(
    tmp_path: Path, write_series: WriteSeries, label: Label, settings: Settings
) -> None:
    volume = np.random.default_rng(0).integers(0, 4000, (6, 20, 20)).astype(np.uint16)
    names = {write_series(f"s{index}", volume + index, f"P{index}"): "normal" for index in range(5)}
    names[write_series("gap", volume, "P9", order=[0, 1, 2, 4, 5])] = "opacity"
    chosen = settings(size=(4, 10, 10), modality=("MR",), fractions=(1, 0, 0))
    info = preprocess(tmp_path / "source", label(names, "series"), tmp_path / "out", chosen)
    assert info.shape == (4, 10, 10, 1) and info.splits["train"].count == 5
    assert info.refusals == {"series-slice-missing": 5}


def test_every_refused_file_has_its_reason_and_no_name_is_told(
    tmp_path: Path, write_xray: WriteXray, label: Label, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    names = {write_xray(f"good{index}", f"P{index}"): "normal" for index in range(3)}
    names[write_xray("unknown", "P7")] = "fracture"
    write_xray("unlabelled", "P8")
    names[write_xray("other", "P9", Modality="US")] = "normal"
    names[write_xray("nobody", "P9", PatientID="")] = "normal"
    source = tmp_path / "source"
    (source / "copy.dcm").write_bytes((source / "good0.dcm").read_bytes())
    (source / "empty.dcm").write_bytes(b"")
    (source / "notes.txt").write_text("not an image")
    (source / "broken.dcm").write_bytes((source / "good1.dcm").read_bytes()[:700])
    os.mkfifo(source / "pipe")
    out = tmp_path / "out"
    info = preprocess(source, label(names), out, settings(fractions=(1, 0, 0)))
    assert refusals(out) | {"broken.dcm": ""} == {
        "good0.dcm": "duplicate-instance",
        "empty.dcm": "empty-file",
        "notes.txt": "not-dicom",
        "broken.dcm": "",
        "other.dcm": "modality-not-wanted",
        "nobody.dcm": "identifier-missing",
        "pipe": "not-a-regular-file",
        "unknown.dcm": "label-unknown",
        "unlabelled.dcm": "label-missing",
    }
    assert total(info) == 3 and sum(info.refusals.values()) == 9
    told = capfd.readouterr()
    kept = "".join(path.read_text(errors="ignore") for path in out.rglob("*") if path.is_file())
    assert "SECRET" not in told.out + told.err + kept and "P7" not in told.out + told.err


def test_an_intake_without_a_usable_image_says_where_the_reasons_are(
    tmp_path: Path, write_xray: WriteXray, label: Label, settings: Settings
) -> None:
    write_xray("a")
    with pytest.raises(IntakeError, match=r"label-missing.*refusals.csv"):
        preprocess(tmp_path / "source", label({"1.2.3": "normal"}), tmp_path / "out", settings())


def test_a_source_that_is_no_folder_is_refused(tmp_path: Path, label: Label, settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="not a folder"):
        preprocess(tmp_path / "nowhere", label({}), tmp_path / "out", settings())
