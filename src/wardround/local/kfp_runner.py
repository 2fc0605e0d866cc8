"""Runs a compiled pipeline on this machine: the very file that is uploaded to Kubeflow, through kfp.local.

    python -m wardround.local.kfp_runner PIPELINE.yaml --arguments JSON --root DIR

kfp.local runs container components with Docker or not at all. `TaskHandler` takes its place: each task becomes a
child process of this interpreter. Output of tasks goes to `DIR/<step>.log`, kfp's own to `DIR/kfp.log`.
This is the one module that knows kfp's inside, so kfp is pinned (2.17.0) and this module has its own tests.
"""

import argparse
import contextlib
import ctypes
import functools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, NoReturn

from wardround.errors import ConfigurationError, WardroundError
from wardround.private_process import handle_data_privately, say
from wardround.text import message

GRACE_SECONDS = 5.0
_OURS = re.compile(r"(.*/)?wardround(-[a-z]+|/[a-z-]+)(:[\w.-]+)?(@sha256:[0-9a-f]{64})?")
_PR_SET_PDEATHSIG = 1
# Found now: between fork and exec nothing may be imported or allocated.
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class TaskFailedError(WardroundError):
    """A step of the pipeline ended with an error."""

    code = "task-failed"


@dataclass
class Tasks:
    """Where tasks log. `report` gets a line at each start and end."""

    root: Path
    report: Callable[[str], None]

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Runs a step to its end. Raises TaskFailedError."""
        name = step_name(command)
        log = self.root / f"{name}.log"
        self.report(f"{name}: started, log {log}")
        code = run_child(command, environment, log)
        self.report(f"{name}: {'done' if code == 0 else f'failed with exit code {code}'}")
        if code:
            # Raised through kfp, whose retries are for a cluster's lost pods: here a person waits and can resume.
            raise TaskFailedError(
                f"step {name} failed with exit code {code}: {_last_line(log)} (all of it: {log})"
            )


class TaskHandler:
    """Stands in for kfp.local's SubprocessTaskHandler, which refuses container components."""

    def __init__(
        self,
        tasks: Tasks,
        image: str,
        full_command: list[str],
        pipeline_root: str,
        runner: object,
        env_vars: dict[str, str] | None = None,
    ) -> None:
        self._tasks, self._command, self._environment = (
            tasks,
            local_command(image, full_command),
            env_vars or {},
        )

    def run(self) -> Any:
        """Runs the task; returns a kfp.local Status."""
        from kfp.local.status import Status

        self._tasks.run(self._command, self._environment)
        return Status.SUCCESS


def local_command(image: str, command: Sequence[str]) -> list[str]:
    """What runs here for a container's command: this interpreter, whose environment has what every image has.

    The compiler finds its own environment by itself. Raises ConfigurationError for any other image or program.
    """
    if not _OURS.fullmatch(image) or list(command[:3]) != ["python", "-m", "wardround"]:
        raise ConfigurationError(
            f"a task wants image {image!r} with {' '.join(command[:3])!r}; only `python -m wardround` of Wardround's "
            "own images runs here"
        )
    return [sys.executable, *command[1:]]


def step_name(command: Sequence[str]) -> str:
    """The words after `wardround`, up to the first option."""
    words = command[command.index("wardround") + 1 :]
    end = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
    return "-".join(words[:end])


def run_child(command: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
    """Runs a command with its output appended to `log`; returns its exit code, negative for a signal.

    It ends with this process, whatever ends that, and leaves no process of its own group behind. This process's
    environment goes before the task's: a container's paths mean nothing here.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**environment, **os.environ},
            process_group=0,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - this process has one thread
        )
        try:
            return child.wait()
        finally:
            _end(child)


def _end_with_parent() -> None:
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
    # What the step itself started and left.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def run_pipeline(
    pipeline: Path, arguments: Mapping[str, Any], root: Path, report: Callable[[str], None] | None = None
) -> None:
    """Runs a compiled pipeline; its artifacts lie in `root/<name>-<time>/<step>`.

    To be called in the main thread. Raises TaskFailedError, ConfigurationError.
    """
    root.mkdir(parents=True, exist_ok=True)
    tasks = Tasks(root, report or _say)
    kfp = _import_kfp()
    kfp.local.subprocess_task_handler.SubprocessTaskHandler = functools.partial(TaskHandler, tasks)
    with (root / "kfp.log").open("a") as chatter, contextlib.redirect_stdout(chatter):
        component = _load(kfp, pipeline, arguments)
        runner = kfp.local.SubprocessRunner(use_venv=False)
        kfp.local.init(
            runner, pipeline_root=str(root), workspace_root=str(root / "workspace"), raise_on_error=False
        )
        component(**arguments)


def _import_kfp() -> ModuleType:
    """kfp without its client: importing Kubernetes' API takes several seconds, and nothing here needs it."""
    before = os.environ.get("_KFP_RUNTIME")
    os.environ["_KFP_RUNTIME"] = "true"
    try:
        import kfp as found
    finally:
        del os.environ["_KFP_RUNTIME"]
        if before is not None:
            os.environ["_KFP_RUNTIME"] = before
    import kfp.components
    import kfp.local.subprocess_task_handler

    module: ModuleType = found
    return module


def _load(kfp: ModuleType, pipeline: Path, arguments: Mapping[str, Any]) -> Any:
    if not pipeline.is_file():
        raise ConfigurationError(f"pipeline {str(pipeline)!r} is not a file; give a compiled pipeline (YAML)")
    component = kfp.components.load_component_from_file(str(pipeline))
    legal = component.component_spec.inputs or {}
    if unknown := sorted(arguments.keys() - legal.keys()):
        raise ConfigurationError(
            f"{pipeline.name} has no parameter {unknown[0]!r}; legal: {', '.join(sorted(legal))}"
        )
    return component


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return message(next((line.strip() for line in reversed(lines) if line.strip()), "no output"))


def _leave_on(*signals: signal.Signals) -> None:
    def leave(number: int, frame: FrameType | None) -> NoReturn:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for each in signals:
        signal.signal(each, leave)


def main(words: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code: 0 done, 1 a step failed, 130 and 143 after signals."""
    parser = argparse.ArgumentParser(prog="python -m wardround.local.kfp_runner", description=__doc__)
    parser.add_argument("pipeline", type=Path)
    parser.add_argument(
        "--arguments", type=json.loads, default={}, help="the pipeline's parameters, a JSON object"
    )
    parser.add_argument("--root", type=Path, required=True, help="folder for logs and artifacts")
    given = parser.parse_args(words)
    _leave_on(signal.SIGTERM, signal.SIGINT)
    try:
        run_pipeline(given.pipeline, given.arguments, given.root, _say)
    except WardroundError as error:
        _say(f"error: {error} [{error.code}]")
        return 1
    return 0


def _say(line: str) -> None:
    say(line)


if __name__ == "__main__":
    handle_data_privately()
    sys.exit(main())
