"""What comes from patients is its user's alone, whatever the umask was: every file 0600, every folder 0700."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from federation import SITES, Federation

from wardround.cli.steps_site import local_page
from wardround.cli.steps_site import write_report as write_evaluation
from wardround.exchange.directory import DirectoryExchange
from wardround.imaging.burned_in.verdict import Outcome, Suspicion, Verdict
from wardround.imaging.deid.folder import Job, deidentify_folder
from wardround.imaging.deid.options import Options
from wardround.imaging.deid.rules import Rules
from wardround.imaging.intake import preprocess
from wardround.imaging.labels import write_labels
from wardround.imaging.quarantine import Quarantine, State
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.sources.spool import opened
from wardround.imaging.statistics.report import OWN_FILE, write_outside_report, write_report
from wardround.imaging.writer import Grey, Origin, write_dx
from wardround.private_files import keep_private, tighten
from wardround.site.evaluate import evaluate

OTHERS = stat.S_IRWXG | stat.S_IRWXO


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """Everything is for everybody, as far as the surroundings are concerned."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(*folders: Path) -> list[str]:
    found = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    assert found
    return [str(path) for path in found if os.lstat(path).st_mode & OTHERS]


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    """`images` with ten X-rays and a file that is none, `labels.csv`, and `key`."""
    ramp = np.linspace(0, 4095, 1200).reshape(40, 30).astype(np.uint16)
    for number in range(10):
        name = str(number)
        write_dx(
            tmp_path / "images" / f"{name}.dcm", ramp, Origin(name, "A^B", name, name, name, 1), Grey(12)
        )
    (tmp_path / "images" / "note.txt").write_text("no image")
    rows = ((str(number), ("normal", "opacity")[number % 2]) for number in range(10))
    write_labels(tmp_path / "labels.csv", "patient", rows)
    (tmp_path / "key").write_bytes(b"k" * 32)
    return tmp_path


def intake(hospital: Path, workers: int = 0) -> Path:
    out = hospital / "work" / "datasets" / "one"
    settings = IntakeSettings(
        labels=("normal", "opacity"),
        size=(16, 16),
        split_key_file=hospital / "key",
        assignments=hospital / "work",
        quarantine=hospital / "work",
        workers=workers,
        burned_in="ignore",
    )
    preprocess(hospital / "images", hospital / "labels.csv", out, settings)
    return out


def test_an_intake_and_its_reports_leave_nothing_for_others(hospital: Path) -> None:
    out = intake(hospital, workers=1)
    write_report(out, hospital / "work" / "pages" / OWN_FILE, 1)
    write_outside_report(out, hospital / "work" / "outside.html")
    names = {path.name for path in (hospital / "work").rglob("*")}
    assert {"refusals.csv", "dataset.json", "statistics.json", OWN_FILE, "outside.html"} <= names
    assert open_to_others(hospital / "work") == []


def test_what_an_earlier_version_left_open_is_closed_when_it_is_used_again(hospital: Path) -> None:
    out = intake(hospital)
    write_report(out, out / OWN_FILE, 1)
    os.umask(0)
    for path in (hospital / "work", *(hospital / "work").rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    intake(hospital)
    write_report(out, out / OWN_FILE, 1)
    assert open_to_others(out, *(hospital / "work").glob("splits-*.csv")) == []


def test_what_waits_in_quarantine_is_nobody_elses(tmp_path: Path) -> None:
    store = Quarantine(tmp_path / "work")
    picture = np.zeros((20, 20), np.uint8)
    verdict = Verdict(Outcome.QUARANTINED, (Suspicion.TEXT,), (), (), picture)
    entry = store.put("0123456789abcdef", "0" * 64, verdict)
    store.decide(entry, State.RELEASED, "Dr. A")
    assert len(list(store.folder.rglob("*"))) == 4
    assert open_to_others(store.folder) == []


def test_a_target_of_de_identification_and_its_report_are_nobody_elses(hospital: Path) -> None:
    job = Job(hospital / "images", hospital / "work" / "clean", Rules.of(Options(), b"k" * 32), 0)
    outcome = deidentify_folder(job)
    outcome.write_report(hospital / "work" / "report.jsonl", names=True)
    assert outcome.done == 10
    assert open_to_others(hospital / "work") == []
    os.umask(0)
    for path in (hospital / "work").rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)
    deidentify_folder(job)
    assert open_to_others(hospital / "work" / "clean") == []


def test_copies_of_an_archives_files_are_nobody_elses(tmp_path: Path) -> None:
    (tmp_path / "spool" / "files").mkdir(parents=True)
    (tmp_path / "spool" / "files" / "before").touch()
    keep_private()
    with opened(tmp_path / "spool") as spool:
        spool.write_unfetched([])
    assert open_to_others(tmp_path / "spool") == []


def test_whoever_can_read_a_bucket_can_read_what_a_private_process_puts_there(tmp_path: Path) -> None:
    (tmp_path / "wardround-a").mkdir(mode=0o755)
    keep_private()
    exchange = DirectoryExchange(tmp_path)
    exchange.store("wardround-a").put_new("runs/r/x.json", b"{}")
    assert (tmp_path / "wardround-a/runs/r/x.json").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "wardround-a/runs/r").stat().st_mode & 0o777 == 0o755
    exchange.create_bucket("wardround-b")
    exchange.store("wardround-b").put_new("runs/r/x.json", b"{}")
    assert open_to_others(tmp_path / "wardround-b") == []


def test_no_link_is_followed_when_rights_are_taken(tmp_path: Path) -> None:
    (tmp_path / "else").write_text("public")
    (tmp_path / "folder").mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "folder" / "file").symlink_to(tmp_path / "else")
    (tmp_path / "folder" / "below").symlink_to(tmp_path / "open")
    tighten(tmp_path / "folder", tmp_path / "absent")
    assert (tmp_path / "else").stat().st_mode & 0o777 == 0o666
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o777
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o700


def test_what_a_site_trains_and_evaluates_leaves_nothing_for_others(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [actor.wait() for actor in federation.start_all()] == [0, 0, 0, 0]
    for site in SITES:
        settings = federation.site_settings(site)
        for name, value in federation.world.environment(site).items():
            monkeypatch.setenv(name, value)
        found = evaluate(settings)
        folder = settings.work / found.federation / found.site / found.run
        write_evaluation(folder, found, local_page(found))
        names = {path.name for path in folder.rglob("*")}
        assert {"report.json", "report.html"} <= names
        assert open_to_others(settings.work / found.federation) == []


def test_the_command_line_is_private_whatever_it_is_asked() -> None:
    program = (
        "import os; from wardround import cli\n"
        "cli.LazyGroup = lambda **_: lambda **_: print(oct(os.umask(0)))\n"
        "cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "0o77\n"
