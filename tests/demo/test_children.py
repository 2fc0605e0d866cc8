"""No process survives its starter, whatever ends that."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from wardround.errors import StoppedError
from wardround.local.batch import run_batch
from wardround.local.children import MARK, ChildError, Children, Ended, Mailbox, Progress, Task

# Starts a grandchild, and both ignore SIGTERM; prints when they do.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) == 1:
    subprocess.Popen([sys.executable, "-c", sys.orig_argv[2], "again"])
print("progress 1 2", flush=True)
time.sleep(600)
"""


def task(tmp_path: Path, code: str, name: str = "child") -> Task:
    """A process that runs some lines."""
    return Task(name, ("-c", code), tmp_path / f"{name}.log")


def marked(mark: str) -> list[psutil.Process]:
    """All processes with a mark."""
    return [process for process in psutil.process_iter() if _mark(process) == mark]


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except psutil.Error:
        return None


def test_stopping_ends_a_stubborn_child_and_what_it_started(tmp_path: Path) -> None:
    mailbox: Mailbox[Progress | Ended] = Mailbox(threading.Event())
    with Children(mailbox.put, str(tmp_path)) as children:
        children.start(task(tmp_path, STUBBORN))
        assert mailbox.get() == Progress("child", 1, 2)
        assert mailbox.get() == Progress("child", 1, 2)
        assert len(marked(str(tmp_path))) == 2
    psutil.wait_procs(marked(str(tmp_path)), timeout=10)
    assert marked(str(tmp_path)) == []


def test_a_child_dies_with_a_starter_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import threading
from pathlib import Path
from wardround.local.children import Children, Mailbox, Task
mailbox = Mailbox(threading.Event())
with Children(mailbox.put, {str(tmp_path)!r}) as children:
    code = "import time; print('progress 1 1', flush=True); time.sleep(600)"
    children.start(Task("child", ("-c", code), Path({str(tmp_path)!r}) / "log"))
    print(mailbox.get(), flush=True)
    mailbox.get()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        assert "Progress" in starter.stdout.readline()
        (child,) = marked(str(tmp_path))
        starter.send_signal(signal.SIGKILL)
    child.wait(timeout=10)
    assert marked(str(tmp_path)) == []


def test_a_failed_child_is_named_with_the_end_of_its_log_and_the_others_are_stopped(tmp_path: Path) -> None:
    tasks = [
        task(tmp_path, "import time; time.sleep(600)", "patient"),
        task(tmp_path, "import sys; print('disk on fire', file=sys.stderr); sys.exit(3)", "hasty"),
    ]
    with pytest.raises(ChildError, match=r"(?s)hasty ended with exit code 3.*disk on fire"):
        run_batch(tasks, tmp_path, threading.Event(), at_once=2)
    assert marked(str(tmp_path)) == []


def test_a_killed_child_is_told_by_its_signal(tmp_path: Path) -> None:
    with pytest.raises(ChildError, match="killed by signal 9"):
        run_batch(
            [task(tmp_path, "import os; os.kill(os.getpid(), 9)")], tmp_path, threading.Event(), at_once=1
        )


def test_progress_of_all_children_is_added_up(tmp_path: Path) -> None:
    lines = "for i in range(3): print(f'progress {i + 1} 3')"
    told: list[tuple[int, int]] = []
    tasks = [task(tmp_path, lines, "a"), task(tmp_path, lines, "b")]
    run_batch(
        tasks, tmp_path, threading.Event(), at_once=1, report=lambda done, total: told.append((done, total))
    )
    assert told[-1] == (6, 6)


def test_other_output_goes_to_the_log(tmp_path: Path) -> None:
    code = "import sys; print('progress soon'); print('said'); print('warned', file=sys.stderr)"
    run_batch([task(tmp_path, code)], tmp_path, threading.Event(), at_once=1)
    assert set((tmp_path / "child.log").read_text().split("\n")) >= {"progress soon", "said", "warned"}


def test_a_request_to_stop_ends_a_batch(tmp_path: Path) -> None:
    stop = threading.Event()
    code = "import time; print('progress 1 2', flush=True); time.sleep(600)"
    with pytest.raises(StoppedError):
        run_batch([task(tmp_path, code)], tmp_path, stop, at_once=1, report=lambda done, total: stop.set())
    assert marked(str(tmp_path)) == []


def test_a_childs_folder_is_not_searched_for_modules(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(7)")
    child = Task("child", ("-m", "json.tool", "--help"), tmp_path / "log", folder=tmp_path)
    run_batch([child], tmp_path, threading.Event(), at_once=1)
    assert os.path.exists(tmp_path / "log")
