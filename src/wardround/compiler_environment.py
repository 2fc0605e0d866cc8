"""Find, or set up, the Python environment that holds TensorFlow Federated."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wardround.errors import ConfigurationError

VARIABLE = "WARDROUND_COMPILER_PYTHON"
_MARK = "wardround-ready"


def find_interpreter(*, progress: Callable[[str], None] = lambda _: None) -> Path:
    """Return the compiler's Python: from the variable WARDROUND_COMPILER_PYTHON, else from our own environment.

    Our own environment is set up from its hashed lock at first use, in the user's cache folder or the folder
    named by WARDROUND_COMPILER_HOME. Raises ConfigurationError.
    """
    if named := os.environ.get(VARIABLE):
        if not os.access(named, os.X_OK):
            raise ConfigurationError(f"{VARIABLE} names {named}, which is not an executable")
        return Path(named)
    lock = _lock_file()
    home = _home(lock)
    python = home / "bin" / "python"
    if not (home / _MARK).is_file():
        with _alone(home):
            if not (home / _MARK).is_file():
                _set_up(home, lock, progress)
    return python


def is_set_up() -> bool:
    """Whether `find_interpreter` has one ready: named by the variable, or set up before."""
    if os.environ.get(VARIABLE):
        return True
    try:
        return (_home(_lock_file()) / _MARK).is_file()
    except ConfigurationError:  # no lock beside the package: nothing could ever have been set up
        return False


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Wait for another process that sets up the same environment; the kernel frees the lock if it dies."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _lock_file() -> Path:
    package = Path(__file__).parent
    for candidate in (package / "locks" / "compiler.txt", package.parent.parent / "locks" / "compiler.txt"):
        if candidate.is_file():
            return candidate
    raise ConfigurationError(
        f"locks/compiler.txt is not beside the package; set {VARIABLE} to a Python with TFF"
    )


def _home(lock: Path) -> Path:
    if named := os.environ.get("WARDROUND_COMPILER_HOME"):
        return Path(named)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "wardround" / f"compiler-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"


def _set_up(home: Path, lock: Path, progress: Callable[[str], None]) -> None:
    progress("setting up the compiler's environment (TensorFlow Federated, once, about 1.8 GB)")
    shutil.rmtree(home, ignore_errors=True)
    log = home.parent / f"{home.name}.log"
    with log.open("w") as output:
        for command in _commands(home, lock):
            done = subprocess.run(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, check=False
            )
            if done.returncode:
                raise ConfigurationError(
                    f"setting up the compiler's environment failed; see {log}. "
                    f"Or set {VARIABLE} to a Python that has tensorflow-federated"
                )
    (home / _MARK).touch()


def _commands(home: Path, lock: Path) -> list[list[str]]:
    python = str(home / "bin" / "python")
    if uv := _uv():
        return [
            [uv, "venv", "--quiet", "--python", sys.executable, str(home)],
            [uv, "pip", "sync", "--require-hashes", "--python", python, str(lock)],
        ]
    return [
        [sys.executable, "-m", "venv", str(home)],
        [python, "-m", "pip", "install", "--require-hashes", "--no-deps", "-r", str(lock)],
    ]


def _uv() -> str | None:
    """uv installs in seconds what takes pip over a minute; either will do."""
    beside = Path(__file__).parent.parent.parent / ".tools" / "bin" / "uv"
    return shutil.which("uv") or (str(beside) if beside.is_file() else None)
