"""Settings of both sides, and the signals that end them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wardround.coordinator.settings import CoordinatorSettings
from wardround.errors import ConfigurationError

SETTINGS = """
federation: north
run: first
exchange: https://exchange.example
key_file: /keys/coordinator.pem
members: {alder: "00"}
plan: /plan
work: /work
"""


def test_a_variable_replaces_a_field_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    monkeypatch.setenv("WARDROUND_COORDINATOR_QUORUM", "4")
    settings = CoordinatorSettings.load(tmp_path / "settings.yaml")
    assert (settings.quorum, settings.run) == (4, "first")


def test_an_unknown_field_is_named_and_a_wrong_value_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(SETTINGS + "quorum: s3cret\nextra: 1\n")
    with pytest.raises(ConfigurationError) as caught:
        CoordinatorSettings.load(tmp_path / "settings.yaml")
    assert "quorum" in str(caught.value) and "extra" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("content", ["[1, 2]", "{", ""])
def test_a_file_without_settings_is_a_clear_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "settings.yaml").write_text(content)
    with pytest.raises(ConfigurationError):
        CoordinatorSettings.load(tmp_path / "settings.yaml")


PROGRAM = """
import threading, time
from wardround.errors import StoppedError
from wardround.processes import run_until_signal

def polite(stop):
    print("ready", flush=True)
    stop.wait(60)
    raise StoppedError("between two writes")

def deaf(stop):
    print("ready", flush=True)
    time.sleep(60)

run_until_signal({function})
"""


@pytest.mark.parametrize(
    ("function", "number"), [("polite", signal.SIGTERM), ("deaf", signal.SIGTERM), ("deaf", signal.SIGINT)]
)
def test_a_signal_ends_the_process_with_128_and_its_number(function: str, number: int) -> None:
    command = [sys.executable, "-c", PROGRAM.format(function=function)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        os.kill(process.pid, number)
        assert process.wait(20) == 128 + number


def test_without_a_signal_the_result_or_the_error_comes_back() -> None:
    from wardround.processes import run_until_signal

    assert run_until_signal(lambda stop: 7) == 7
    with pytest.raises(ConfigurationError, match="mine"):
        run_until_signal(lambda stop: (_ for _ in ()).throw(ConfigurationError("mine")))
