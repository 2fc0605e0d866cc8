"""A run that is killed at any moment leaves whole files only, and the next one ends as if nothing had happened."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from deid_cases import ct, read, written

from wardround.imaging.deid.pseudonyms import make_key

FILES, KILLS, PATIENCE = 60, 4, 120.0


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Objects that take a while: each of a megabyte."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for number in range(FILES):
        dataset = ct(SOPInstanceUID=f"1.2.3.1.{number}", Rows=1024, Columns=512)
        dataset.PixelData = bytes([number]) * (2 * 1024 * 512)
        (folder / f"{number}.dcm").write_bytes(written(dataset))
    make_key(tmp_path / "key")
    return folder


def start(archive: Path, target: Path) -> subprocess.Popen[bytes]:
    command = ["deid", str(archive), str(target), "--key", str(archive.parent / "key"), "--workers", "2"]
    return subprocess.Popen(
        [sys.executable, "-m", "wardround", *command, "--headers-only"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def written_objects(target: Path) -> dict[str, bytes]:
    return {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*.dcm")}


def killed_after(archive: Path, target: Path, more: int, delay: float) -> None:
    """Starts a run, lets it write so many further files and go on for a moment, and kills all of it."""
    process, before = start(archive, target), len(written_objects(target))
    end = time.monotonic() + PATIENCE
    while len(list(target.rglob("*.dcm"))) < before + more and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.002)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_run_that_is_killed_again_and_again_ends_as_one_that_is_not(archive: Path, tmp_path: Path) -> None:
    chance, target, partly = random.Random(5), tmp_path / "killed", 0
    for _ in range(KILLS):
        killed_after(archive, target, chance.randrange(4), chance.random() / 20)
        found = written_objects(target)
        partly += len(found) < FILES
        # Under its final name a file is whole: it is read, and its pixels are all there.
        assert all(len(read(content).PixelData) == 2 * 1024 * 512 for content in found.values())
    assert start(archive, target).wait(PATIENCE) == 0
    assert start(archive, tmp_path / "whole").wait(PATIENCE) == 0
    assert written_objects(target) == written_objects(tmp_path / "whole")
    assert len(written_objects(target)) == FILES and partly > 0
    assert not [path for path in target.rglob("*") if path.suffix in (".part", ".busy")]
