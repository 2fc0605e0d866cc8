"""Compiled pipelines as processes of this machine."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from kfp import compiler, dsl

from wardround.errors import ConfigurationError
from wardround.local.kfp_runner import TaskFailedError, local_command, main, run_pipeline, step_name

IMAGE = "ghcr.io/wardround/site:test"
PATIENT = 30.0


@dsl.container_component  # type: ignore[misc]
def make_key(out: str) -> dsl.ContainerSpec:
    return dsl.ContainerSpec(
        image=IMAGE, command=["python", "-m", "wardround"], args=["site", "key", "--out", out]
    )


@dsl.container_component  # type: ignore[misc]
def stranger() -> dsl.ContainerSpec:
    return dsl.ContainerSpec(image="docker.io/library/alpine:3", command=["sh"], args=["-c", "true"])


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A pipeline of one step that makes a key."""

    @dsl.pipeline(name="keys")  # type: ignore[misc]
    def pipeline(key_file: str = "") -> None:
        make_key(out=key_file)

    path = tmp_path / "keys.yaml"
    compiler.Compiler().compile(pipeline, str(path))
    return path


def test_a_compiled_pipeline_runs_its_steps_in_this_environment(keys: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    run_pipeline(keys, {"key_file": str(tmp_path / "key.pem")}, tmp_path / "root", lines.append)
    assert (tmp_path / "key.pem").is_file()
    public = (tmp_path / "root" / "site-key.log").read_text().strip()
    assert len(public) == 64
    assert [line.partition(",")[0] for line in lines] == ["site-key: started", "site-key: done"]


def test_a_failed_step_is_told_with_its_last_line_and_its_log(keys: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no key")
    with pytest.raises(TaskFailedError, match=r"exit code 1: wardround: .*bad\.pem.*site-key\.log"):
        run_pipeline(keys, {"key_file": str(tmp_path / "bad.pem")}, tmp_path / "root", lambda line: None)


def test_the_command_exits_non_zero_after_a_failed_step(keys: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no key")
    arguments = json.dumps({"key_file": str(tmp_path / "bad.pem")})
    command = [sys.executable, "-m", "wardround.local.kfp_runner", keys, "--arguments", arguments]
    done = subprocess.run(
        [*command, "--root", tmp_path / "root"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "[task-failed]" in done.stderr
    assert done.stdout == ""


def test_a_parameter_that_the_pipeline_does_not_have_is_named(keys: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no parameter 'key'; legal: key_file"):
        run_pipeline(keys, {"key": "x"}, tmp_path / "root", lambda line: None)


def test_an_image_of_somebody_else_is_refused(tmp_path: Path) -> None:
    @dsl.pipeline(name="foreign")  # type: ignore[misc]
    def pipeline() -> None:
        stranger()

    compiler.Compiler().compile(pipeline, str(tmp_path / "foreign.yaml"))
    assert main([str(tmp_path / "foreign.yaml"), "--root", str(tmp_path / "root")]) == 1


@pytest.mark.parametrize(
    "image", ["alpine:3", "ghcr.io/evil/site:1", "ghcr.io/wardround/site@sha256:1", "wardround"]
)
def test_only_images_of_wardround_run_here(image: str) -> None:
    with pytest.raises(ConfigurationError, match="only `python -m wardround`"):
        local_command(image, ["python", "-m", "wardround", "site", "train"])


def test_a_steps_name_is_its_words_before_the_options() -> None:
    assert step_name(["python", "-m", "wardround", "site", "train", "--run", "one"]) == "site-train"


# A runner with one step that tells its number through a pipe and then waits for ever.
WAITING = """
import sys
from pathlib import Path
from signal import SIGINT, SIGTERM
from wardround.local.kfp_runner import _leave_on, run_child
_leave_on(SIGTERM, SIGINT)
child = "import os, signal; open(r'{pipe}', 'w').write(str(os.getpid())); signal.pause()"
run_child([sys.executable, "-c", child], {{}}, Path(r"{log}"))
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_no_step_outlives_its_runner(number: int, code: int, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    script = WAITING.format(pipe=pipe, log=tmp_path / "log")
    runner = subprocess.Popen([sys.executable, "-c", script])
    child = psutil.Process(int(pipe.read_text()))
    runner.send_signal(number)
    assert runner.wait(PATIENT) == code
    psutil.wait_procs([child], timeout=PATIENT)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
