"""Nothing in a folder of images leads out of it, and nothing in a target of de-identification does."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wardround.errors import ConfigurationError
from wardround.imaging import chunks
from wardround.imaging.deid.folder import STATE, Job, deidentify_folder
from wardround.imaging.deid.options import Options
from wardround.imaging.deid.rules import Rules
from wardround.imaging.gate import content_digest
from wardround.imaging.intake import preprocess
from wardround.imaging.labels import write_labels
from wardround.imaging.reading.files import MAX_DEPTH, LinkError, SourceFile, list_files, opened
from wardround.imaging.reading.header import IDENTITY_TAGS, read_dataset
from wardround.imaging.reading.kinds import Kind, kind_of
from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.scan import ScanRule, scan_file
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.writer import Grey, Origin, write_dx

RULE = ScanRule(key=b"k" * 16, modality=("DX",), max_bytes=1 << 24)
RULES = Rules.of(Options(), b"k" * 32)


def write(path: Path, patient: str = "P1") -> Path:
    ramp = np.linspace(0, 4095, 1200).reshape(40, 30).astype(np.uint16)
    uid = str(path)
    write_dx(path, ramp, Origin(patient, "A^B", uid, uid, uid, 1), Grey(12))
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with one image, beside which `outside` holds another, and a secret."""
    write(tmp_path / "outside" / "b.dcm", "P2")
    (tmp_path / "outside" / "secret").write_text("secret")
    write(tmp_path / "source" / "a.dcm")
    return tmp_path / "source"


def refused(source: Path, path: str) -> Reason | None:
    return scan_file(source, path, RULE).refused


PLANTED: dict[str, Callable[[Path], object]] = {
    "file": lambda at: at.symlink_to("../outside/b.dcm"),
    "absolute": lambda at: at.symlink_to((at.parent.parent / "outside/b.dcm").resolve()),
    "folder": lambda at: at.symlink_to("../outside"),
    "of-a-link": lambda at: (at.with_name("z").symlink_to("../outside/b.dcm"), at.symlink_to("z")),
    "itself": lambda at: at.symlink_to(at.name),
    "nowhere": lambda at: at.symlink_to("nowhere"),
    "inside": lambda at: at.symlink_to("a.dcm"),
    "up": lambda at: at.symlink_to(".."),
    "zero": lambda at: at.symlink_to("/dev/zero"),
    "environment": lambda at: at.symlink_to("/proc/self/environ"),
    "memory": lambda at: at.symlink_to("/proc/self/mem"),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_link_is_refused_by_name_and_nothing_is_read_through_it(kind: str, source: Path) -> None:
    PLANTED[kind](source / "link")
    assert "link" in list_files(source) and not any(path.startswith("link/") for path in list_files(source))
    found = scan_file(source, "link", RULE)
    assert found.refused == Reason.LINK and found.kind == Kind() and not found.label_keys


def test_pipes_sockets_devices_and_processes_files_are_no_files(source: Path) -> None:
    os.mkfifo(source / "pipe")
    here = os.getcwd()
    os.chdir(source)  # a socket's name is short
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket")
    finally:
        os.chdir(here)
    assert refused(source, "pipe") == refused(source, "socket") == Reason.NOT_A_FILE
    assert refused(Path("/dev"), "zero") == refused(Path("/dev"), "tty") == Reason.NOT_A_FILE
    # It claims to be an empty file, and is not.
    assert refused(Path("/proc/self"), "environ") == Reason.EMPTY


@pytest.mark.parametrize(
    "path", ["../outside/b.dcm", "./../outside/b.dcm", "x/../../outside/b.dcm", "", ".", ".."]
)
def test_no_path_leads_out_either(path: str, source: Path) -> None:
    (source / "x").mkdir()
    assert refused(source, path) == Reason.NOT_A_FILE


@pytest.mark.parametrize("name", ["folder", "b.dcm"])
def test_what_becomes_a_link_after_the_scan_is_not_followed(name: str, source: Path) -> None:
    write(source / "folder" / "b.dcm")
    file = SourceFile(source, "folder/b.dcm")
    assert read_dataset(file, IDENTITY_TAGS, 1 << 24).PatientID == "P1"
    place = source / "folder" if name == "folder" else source / "folder" / "b.dcm"
    place.rename(source / "before")
    place.symlink_to(source.parent / "outside" / ("" if name == "folder" else "b.dcm"))
    with pytest.raises(Refusal) as refusal:
        read_dataset(file, IDENTITY_TAGS, 1 << 24)
    assert refusal.value.reason == Reason.LINK and kind_of(file) == Kind()
    with pytest.raises(LinkError):
        content_digest([file])


def test_a_link_that_takes_a_files_place_at_the_last_moment_is_not_followed(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.stat

    def swap(name: object, **more: object) -> os.stat_result:
        status = real(name, **more)  # type: ignore[arg-type, call-overload]
        if name == "a.dcm":
            (source / "a.dcm").unlink()
            (source / "a.dcm").symlink_to("../outside/b.dcm")
        return status

    monkeypatch.setattr(os, "stat", swap)
    with pytest.raises(OSError, match="symbolic"), opened(SourceFile(source, "a.dcm")):
        pass


def intake(source: Path, **chosen: object) -> dict[str, int]:
    rows = [(f"P{number}", "normal") for number in (1, 2, 3)]
    labels = write_labels(source.parent / "labels.csv", "patient", rows)
    (source.parent / "key").write_bytes(b"k" * 32)
    settings = IntakeSettings.model_validate(
        {
            "labels": ("normal", "opacity"),
            "size": (16, 16),
            "fractions": (1, 0, 0),
            "split_key_file": source.parent / "key",
            "workers": 0,
            "burned_in": "ignore",
            **chosen,
        }
    )
    info = preprocess(source, labels, source.parent / "out", settings)
    return {"used": info.split("train").count, **info.refusals}


def test_an_intake_counts_links_and_takes_the_rest(source: Path) -> None:
    for kind, plant in PLANTED.items():
        plant(source / kind)
    assert intake(source) == {"used": 1, "symbolic-link": len(PLANTED) + 1}


def test_where_the_settings_say_so_links_are_followed_and_end(source: Path) -> None:
    (source / "elsewhere").symlink_to("../outside")
    for kind in ("itself", "nowhere", "up", "zero"):
        PLANTED[kind](source / kind)
    (source.parent / "outside" / "again").symlink_to("../outside")
    assert intake(source)["used"] == 1
    taken = intake(source, follow_links=True)
    assert taken["used"] == 2 and "symbolic-link" not in taken


def test_links_between_folders_do_not_multiply(tmp_path: Path) -> None:
    for level in range(30):
        (tmp_path / f"{level}").mkdir()
        for name in ("left", "right"):
            (tmp_path / f"{level}" / name).symlink_to(f"../{level + 1}")
    assert len(list_files(tmp_path, follow_links=True)) == 2  # the last ones lead nowhere


def test_the_images_own_folder_and_the_label_table_may_be_links(source: Path) -> None:
    (source.parent / "images").symlink_to(source)
    assert list_files(source.parent / "images") == ["a.dcm"]
    assert refused(source.parent / "images", "a.dcm") is None


def test_folders_deeper_than_any_are_counted_and_not_entered(tmp_path: Path) -> None:
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        for _ in range(200):
            os.mkdir("d")
            os.chdir("d")
        Path("x").touch()
    finally:
        os.chdir(here)
    (path,) = list_files(tmp_path)
    assert path.count("/") == MAX_DEPTH and refused(tmp_path, path) == Reason.NOT_A_FILE


def test_a_decision_about_one_file_is_not_one_about_what_a_link_shows(source: Path) -> None:
    settings = IntakeSettings(labels=("a",), size=(8, 8), split_key_file=source, workers=0)
    item = chunks.Item(order="0" * 64, patient="p", label=0, paths=("link",))
    (source / "link").symlink_to("../outside/b.dcm")
    chunk = chunks.DecodeChunk(source.parent / "result.npz", source, (item,), settings)
    chunks.run_chunk(chunk)
    assert [one.reason for one in chunks.summary(chunk).refused] == [Reason.LINK]


def test_de_identification_follows_no_link_in_its_source(source: Path, tmp_path: Path) -> None:
    for kind, plant in PLANTED.items():
        plant(source / kind)
    outcome = deidentify_folder(Job(source, tmp_path / "clean", RULES, 0))
    assert outcome.done == 1 and outcome.refused == {"symbolic-link": len(PLANTED) + 1}


def test_de_identification_follows_links_where_it_is_told(source: Path, tmp_path: Path) -> None:
    (source / "elsewhere").symlink_to("../outside")
    outcome = deidentify_folder(Job(source, tmp_path / "clean", RULES, 0, follow_links=True))
    assert outcome.done == 2 and outcome.refused == {"not-dicom": 1}


def redone(source: Path, tmp_path: Path) -> Path:
    """The path of an output in a target, whose source is to be done again."""
    deidentify_folder(Job(source, tmp_path / "clean", RULES, 0))
    (output,) = (tmp_path / "clean").rglob("*.dcm")
    os.utime(source / "a.dcm", ns=(1, 1))
    return output


def test_a_link_in_the_place_of_a_targets_folder_is_not_written_through(source: Path, tmp_path: Path) -> None:
    series = redone(source, tmp_path).parent
    series.rename(tmp_path / "moved")
    (tmp_path / "elsewhere").mkdir()
    series.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="symbolic link"):
        deidentify_folder(Job(source, tmp_path / "clean", RULES, 0))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_link_in_the_place_of_an_output_is_neither_written_through_nor_taken_for_it(
    source: Path, tmp_path: Path
) -> None:
    output = redone(source, tmp_path)
    output.rename(tmp_path / "precious")
    content = (tmp_path / "precious").read_bytes()
    output.symlink_to(tmp_path / "precious")
    outcome = deidentify_folder(Job(source, tmp_path / "clean", RULES, 0))
    assert outcome.refused == {"duplicate-instance": 1}
    assert (tmp_path / "precious").read_bytes() == content


def test_records_are_not_written_through_a_link(source: Path, tmp_path: Path) -> None:
    (tmp_path / "clean").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "clean" / STATE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="symbolic link"):
        deidentify_folder(Job(source, tmp_path / "clean", RULES, 0))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_report_replaces_a_link_and_does_not_write_through_it(source: Path, tmp_path: Path) -> None:
    outcome = deidentify_folder(Job(source, tmp_path / "clean", RULES, 0))
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "report").symlink_to(tmp_path / "precious")
    (tmp_path / ".report.part").symlink_to(tmp_path / "precious")
    outcome.write_report(tmp_path / "report", names=False)
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "report").is_symlink()
