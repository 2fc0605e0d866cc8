"""One process at a time at a site's work, whoever else was started for it."""

import errno
import fcntl
import logging
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from wardround.errors import ConfigurationError, StoppedError
from wardround.turns import one_at_a_time


def hold(path: Path, here: Path) -> None:
    with one_at_a_time(path, "the work", threading.Event()):
        here.touch()
        time.sleep(60)


def holder(path: Path, here: Path) -> multiprocessing.process.BaseProcess:
    """A process that has the lock."""
    process = multiprocessing.get_context("spawn").Process(target=hold, args=(path, here), daemon=True)
    process.start()
    while not here.exists():
        time.sleep(0.01)
    return process


def test_a_second_process_waits_until_the_first_is_gone_however_it_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = holder(tmp_path / "lock", tmp_path / "here")
    caplog.set_level(logging.INFO)
    end = threading.Timer(0.3, os.kill, (first.pid, signal.SIGKILL))
    end.start()
    began = time.monotonic()
    with one_at_a_time(tmp_path / "lock", "the work", threading.Event()):
        assert time.monotonic() - began > 0.2
    assert "another process is at the work; waiting for it to end" in caplog.text
    first.join()


def test_one_that_waits_can_be_stopped(tmp_path: Path) -> None:
    first, stop = holder(tmp_path / "lock", tmp_path / "here"), threading.Event()
    stop.set()
    with pytest.raises(StoppedError), one_at_a_time(tmp_path / "lock", "the work", stop):
        pass
    first.kill()
    first.join()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    lock = tmp_path / "file" / "lock"
    with (
        pytest.raises(ConfigurationError, match="cannot be written"),
        one_at_a_time(lock, "", threading.Event()),
    ):
        pass


def test_a_file_system_without_locks_is_warned_of_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with one_at_a_time(tmp_path / "lock", "the work", threading.Event()):
        assert "no locks" in caplog.text
