"""Files and folders: whole outputs under pseudonymous names, or refusals; nothing in place, nothing half-written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from deid_cases import DEFLATED, KEY, ct, read, rules, written
from imaging_cases import TWELVE_BITS, film, origin
from pydicom.dataset import Dataset

from wardround.errors import ConfigurationError
from wardround.imaging.deid.files import deidentify_file, deidentify_object, name_of
from wardround.imaging.deid.folder import Job, Outcome, deidentify_folder
from wardround.imaging.deid.options import Options, load_options
from wardround.imaging.deid.pseudonyms import make_key, read_key
from wardround.imaging.deid.shown import Shown
from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.writer import write_dx


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder as a hospital has it: names of patients in file names, and files that are no DICOM."""
    folder = tmp_path / "archive"
    (folder / "Vexlund, Orrin").mkdir(parents=True)
    for number in range(5):
        content = written(
            ct(SOPInstanceUID=f"1.2.3.1.{number}"), DEFLATED if number == 4 else "1.2.840.10008.1.2"
        )
        (folder / "Vexlund, Orrin" / f"vexlund{number}.dcm").write_bytes(content)
    (folder / "notes.txt").write_text("Vexlund was here")
    (folder / "empty.dcm").touch()
    (folder / "cut.dcm").write_bytes(written(ct())[:-8])
    return folder


def run(source: Path, target: Path, workers: int = 0, dry_run: bool = False, **options: object) -> Outcome:
    return deidentify_folder(Job(source, target, rules(**options), workers, dry_run))


def objects(target: Path) -> dict[str, bytes]:
    return {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*.dcm")}


def cli(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wardround", "deid", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


def test_a_file_becomes_a_valid_file_with_empty_preamble(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(written(ct(), DEFLATED, preamble=b"Vexlund".ljust(128)))
    account = deidentify_file(tmp_path / "a.dcm", tmp_path / "out" / "b.dcm", rules())
    content = (tmp_path / "out" / "b.dcm").read_bytes()
    assert content[:132] == b"\0" * 128 + b"DICM" and b"Vexlund" not in content
    assert read(content).PixelData == ct().PixelData and account.counts["uid"] > 3


def test_nothing_is_written_in_place_or_half(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(written(ct()))
    with pytest.raises(ConfigurationError):
        deidentify_file(path, path, rules())
    (tmp_path / "cut.dcm").write_bytes(written(ct())[:-8])
    with pytest.raises(Refusal):
        deidentify_file(tmp_path / "cut.dcm", tmp_path / "out" / "b.dcm", rules())
    assert not list(tmp_path.rglob("*.part")) and not (tmp_path / "out" / "b.dcm").exists()


def test_a_gate_may_refuse_and_then_nothing_is_written(tmp_path: Path) -> None:
    def gate(dataset: Dataset) -> Shown:
        assert dataset.PatientID == "HK4711-12"
        raise Refusal(Reason.BLANK)

    (tmp_path / "a.dcm").write_bytes(written(ct()))
    with pytest.raises(Refusal):
        deidentify_file(tmp_path / "a.dcm", tmp_path / "b.dcm", rules(), gate)
    assert not (tmp_path / "b.dcm").exists()


def test_another_object_with_the_same_uid_does_not_replace_the_first(tmp_path: Path) -> None:
    for name, rows in (("a", "1"), ("b", "2")):
        (tmp_path / f"{name}.dcm").write_bytes(written(ct(InstanceNumber=rows)))
    deidentify_file(tmp_path / "a.dcm", tmp_path / "out.dcm", rules())
    deidentify_file(tmp_path / "a.dcm", tmp_path / "out.dcm", rules())
    with pytest.raises(Refusal) as refused:
        deidentify_file(tmp_path / "b.dcm", tmp_path / "out.dcm", rules())
    assert (
        refused.value.reason is Reason.DUPLICATE
        and read((tmp_path / "out.dcm").read_bytes()).InstanceNumber == 1
    )


def test_an_object_without_identity_is_refused() -> None:
    dataset = ct()
    del dataset.SOPInstanceUID
    with pytest.raises(Refusal) as refused:
        deidentify_object(dataset, rules())
    assert refused.value.reason is Reason.NO_IDENTITY


def test_a_uid_that_is_kept_can_not_lead_out_of_the_folder() -> None:
    found, _ = deidentify_object(ct(StudyInstanceUID="..", SeriesInstanceUID="../../x"), rules(uids=True))
    assert ".." not in name_of(found).split("/")


def test_a_folder_is_deidentified_in_processes_and_the_rest_is_accounted_for(
    source: Path, tmp_path: Path
) -> None:
    outcome = run(source, tmp_path / "out", workers=2)
    assert outcome.done == 5 and len(objects(tmp_path / "out")) == 5
    assert outcome.refused == {"not-dicom": 1, "empty-file": 1, "truncated": 1}
    everything = "".join(f"{name}{content!r}" for name, content in objects(tmp_path / "out").items())
    state = "".join(path.read_text() for path in (tmp_path / "out" / ".deid").iterdir())
    assert "exlund" not in everything + state and KEY.hex() not in state
    assert objects(tmp_path / "out") == _alone(source, tmp_path / "again")


def test_an_object_whose_pixels_may_show_a_name_is_refused_and_a_clean_one_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    for name, words in (("clean", ""), ("named", "VEXLUND^ORRIN 1961-03-04")):
        write_dx(folder / f"{name}.dcm", film(words), origin(name, name), TWELVE_BITS)
    outcome = deidentify_folder(Job(folder, tmp_path / "out", rules(), 0, look=True))
    assert outcome.done == 1
    assert outcome.refused == {"pixels-may-show-the-patient": 1}


def _alone(source: Path, target: Path) -> dict[str, bytes]:
    run(source, target)
    return objects(target)


def test_a_second_run_does_what_is_new_or_lost_only(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    run(source, target)
    times = {name: (target / name).stat().st_mtime_ns for name in objects(target)}
    lost = sorted(times)[0]
    (target / lost).unlink()
    (target / "WR" / "x").mkdir(parents=True)
    (target / "WR" / "x" / ".0123.part").touch()
    (source / "new.dcm").write_bytes(written(ct(SOPInstanceUID="1.2.3.1.9")))
    outcome = run(source, target)
    assert outcome.done == 6 and len(objects(target)) == 6 and not list(target.rglob("*.part"))
    assert all((target / name).stat().st_mtime_ns == time for name, time in times.items() if name != lost)


def test_a_report_names_outputs_and_codes_and_source_names_only_if_asked(
    source: Path, tmp_path: Path
) -> None:
    outcome = run(source, tmp_path / "out")
    outcome.write_report(tmp_path / "a.jsonl", names=False)
    outcome.write_report(tmp_path / "b.jsonl", names=True)
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert len(lines) == 8 and "exlund" not in (tmp_path / "a.jsonl").read_text()
    assert {line["output"] for line in lines if "output" in line} == set(objects(tmp_path / "out"))
    assert "Vexlund, Orrin/vexlund0.dcm" in (tmp_path / "b.jsonl").read_text()


def test_a_dry_run_writes_nothing(source: Path, tmp_path: Path) -> None:
    assert run(source, tmp_path / "out", dry_run=True).done == 5
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("target", [".", "Vexlund, Orrin", "..", "../filled"])
def test_a_target_in_the_source_around_it_or_in_use_is_refused(source: Path, target: str) -> None:
    (source.parent / "filled").mkdir()
    (source.parent / "filled" / "other").touch()
    before = sorted(source.rglob("*"))
    with pytest.raises(ConfigurationError):
        run(source, source / target)
    assert sorted(source.rglob("*")) == before


def test_a_target_of_other_options_is_refused(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "out")
    with pytest.raises(ConfigurationError):
        run(source, tmp_path / "out", device=True)


def test_a_key_is_made_once_for_its_owner_alone_and_read_back(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    assert len(read_key(tmp_path / "key")) == 32 and (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigurationError):
        make_key(tmp_path / "key")
    os.chmod(tmp_path / "key", 0o644)
    with pytest.raises(ConfigurationError):
        read_key(tmp_path / "key")


def test_options_are_read_from_yaml_and_wrong_ones_named(tmp_path: Path) -> None:
    path = tmp_path / "options.yaml"
    path.write_text("dates: shift\ndescriptors: true\n")
    assert load_options(path) == Options(dates="shift", descriptors=True)
    path.write_text("date: shift\n")
    with pytest.raises(ConfigurationError, match="date"):
        load_options(path)


def test_the_command_line_says_what_it_did_and_exits_accordingly(source: Path, tmp_path: Path) -> None:
    key, out, report = tmp_path / "key", tmp_path / "out", tmp_path / "report.jsonl"
    absent = cli(source, out, "--key", key)
    assert absent.returncode == 1 and "--new-key" in absent.stderr and not out.exists()
    done = cli(source, out, "--key", key, "--new-key", "--report", report, "--workers", 1)
    assert done.returncode == 3 and "5 of 8 files de-identified" in done.stderr
    assert "refused: 1 (truncated)" in done.stderr and "exlund" not in done.stderr + done.stdout
    (source / "cut.dcm").unlink()
    again = cli(source, out, "--key", key, "--report", report)
    assert again.returncode == 0 and len(report.read_text().splitlines()) == 7
