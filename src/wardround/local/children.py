"""Processes that end with the demo, whatever ends it: done, failed, Ctrl-C, or killed.

    Children ── start ─→ process ── Progress, Ended ─→ Mailbox ─→ whoever waits

A child leads a session of its own, so a Ctrl-C on the terminal reaches the demo alone, which then ends its
children in order. The kernel kills a child whose starter died: start them from a thread that lives as long.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Self, TypeVar

import psutil

from wardround.errors import StoppedError, WardroundError

T = TypeVar("T")

MARK = "WARDROUND_DEMO"
PROGRESS = "progress "
STOP_SECONDS = 0.1
# Less than what `processes.run_until_signal` grants, so that there is time left to stop the S3 server.
_GRACE_SECONDS = 0.9
_TAIL_LINES = 12

# Asks for a SIGKILL at the parent's death, then becomes the program. Not `preexec_fn`: it may deadlock in a
# process with threads. The parent may have died before the request, hence the look at its pid.
_BECOME = """
import ctypes, os, signal, sys
ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class ChildError(WardroundError):
    """A process of the demo ended with an error."""

    code = "process-failed"


@dataclass(frozen=True)
class Task:
    """A process to be: arguments of this Python, variables beside the own ones, and where its output goes.

    `folder` is where it runs, without being searched for modules; None: here.
    """

    name: str
    arguments: tuple[str, ...]
    log: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None


@dataclass(frozen=True)
class Progress:
    """A child printed `progress DONE TOTAL` on its standard output."""

    name: str
    done: int
    total: int


@dataclass(frozen=True)
class Ended:
    """A child ended; `code` is its exit code, or minus the signal that killed it."""

    name: str
    code: int


class Mailbox(Generic[T]):
    """What happens elsewhere, in order."""

    def __init__(self, stop: threading.Event) -> None:
        self._queue: queue.Queue[T] = queue.Queue()
        self._stop = stop

    def put(self, item: T) -> None:
        """Called by whoever saw something happen, in any thread."""
        self._queue.put(item)

    def get(self) -> T:
        """The next thing that happened. Raises StoppedError soon after the process was asked to stop."""
        while not self._stop.is_set():
            # The queue and the request to stop are two events, and only one can be waited for.
            with suppress(queue.Empty):
                return self._queue.get(timeout=STOP_SECONDS)
        raise StoppedError("asked to stop")


class Children:
    """The running processes; a context manager that leaves none of them, nor of theirs, behind."""

    def __init__(self, tell: Callable[[Progress | Ended], None], mark: str) -> None:
        self._tell = tell
        self._mark = mark
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._logs: dict[str, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, task: Task) -> None:
        """Starts a process; its log is appended to."""
        task.log.parent.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            "-I",
            "-S",
            "-c",
            _BECOME,
            str(os.getpid()),
            sys.executable,
            *task.arguments,
        ]
        with task.log.open("a") as log:
            process = subprocess.Popen(
                command,
                cwd=task.folder,
                env={**os.environ, "PYTHONSAFEPATH": "1", **task.variables, MARK: self._mark},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        self._running[task.name], self._logs[task.name] = process, task.log
        threading.Thread(target=self._follow, args=(task, process), name=task.name, daemon=True).start()

    def tail(self, name: str) -> str:
        """The last lines of a child's log."""
        log = self._logs[name]
        text = log.read_text(errors="replace") if log.exists() else ""
        return "\n".join(text.splitlines()[-_TAIL_LINES:])

    def failure(self, ended: Ended) -> ChildError:
        """The error for a child that should not have ended so."""
        how = (
            f"was killed by signal {-ended.code}" if ended.code < 0 else f"ended with exit code {ended.code}"
        )
        log = self._logs[ended.name]
        return ChildError(
            f"{ended.name} {how}; everything was stopped. The end of {log}:\n{self.tail(ended.name)}"
        )

    def stop(self) -> None:
        """Ends all that still run: SIGTERM, and after 0.9 s SIGKILL, to them and to all that they started."""
        sessions = {process.pid for process in self._running.values()}
        running = [process.pid for process in self._running.values() if process.poll() is None]
        self._running.clear()
        members = _members(sessions)
        _signal(running, signal.SIGTERM)
        _, left = psutil.wait_procs(members, timeout=_GRACE_SECONDS)
        _signal((member.pid for member in [*left, *_members(sessions)]), signal.SIGKILL)

    def _follow(self, task: Task, process: "subprocess.Popen[str]") -> None:
        with task.log.open("a") as log:
            for line in process.stdout or ():
                words = line.removeprefix(PROGRESS).split() if line.startswith(PROGRESS) else []
                if len(words) == 2 and all(word.isdecimal() for word in words):
                    self._tell(Progress(task.name, int(words[0]), int(words[1])))
                else:
                    log.write(line)
                    log.flush()
        self._tell(Ended(task.name, process.wait()))


def _members(sessions: set[int]) -> list[psutil.Process]:
    """All processes of these sessions, also those whose parent is gone."""
    return [process for process in psutil.process_iter() if _session(process.pid) in sessions]


def _session(pid: int) -> int | None:
    with suppress(ProcessLookupError, PermissionError):
        return os.getsid(pid)
    return None


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
