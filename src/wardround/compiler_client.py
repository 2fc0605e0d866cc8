"""Compile a recipe in the compiler's own environment: a separate process with TFF, which this one never loads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wardround.compiler_environment import find_interpreter
from wardround.errors import ConfigurationError, RefusedError, WardroundError
from wardround.plan.format import MANIFEST_NAME, Plan, load_plan, write_plan
from wardround.recipe import Recipe

Progress = Callable[[str], None]


class CompileError(WardroundError):
    """The compiler refused the recipe or failed; the message is the compiler's own."""

    code = "compile"


def compile_recipe(
    recipe: Recipe,
    out: Path,
    *,
    folder: Path = Path("."),
    interpreter: Path | None = None,
    seconds: float | None = None,
    progress: Progress = lambda _: None,
) -> Plan:
    """Compile `recipe` into the folder `out` and return the verified plan.

    `folder` is where the recipe's files (model, process) are; `interpreter` a Python with TFF, found or set up
    if not given; `seconds` the time that compiling may take. Raises CompileError (`timeout` after that time),
    ConfigurationError. Nothing is left in `out` on failure.
    """
    if out.exists() and not _replaceable(out):
        raise ConfigurationError(f"{out} exists and is not a plan: give an empty or new folder")
    python = interpreter or find_interpreter(progress=progress)
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        _write(_run(python, recipe, folder, work, seconds, progress), work)
        shutil.rmtree(out, ignore_errors=True)
        work.rename(out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return load_plan(out)


def _write(draft: dict[str, object], work: Path) -> None:
    try:
        write_plan(draft, work)
    except RefusedError as error:
        raise CompileError(
            f"{error}. Change the model or the process (names are its author's), and compile again"
        ) from error


def _replaceable(out: Path) -> bool:
    return out.is_dir() and (not any(out.iterdir()) or (out / MANIFEST_NAME).is_file())


def _run(
    python: Path, recipe: Recipe, folder: Path, work: Path, seconds: float | None, progress: Progress
) -> dict[str, object]:
    request = work / "request.json"
    request.write_text(json.dumps({"recipe": recipe.resolved(), "folder": str(folder.resolve())}))
    log = work / "compiler.log"
    with compiler_process(python) as (python, environment), log.open("w") as errors:
        command = [
            str(python),
            "-m",
            "wardround.compiler",
            str(request.resolve()),
            "--out",
            str(work.resolve()),
        ]
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=environment["HOME"],
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=subprocess.PIPE,
            text=True,
        )
        with _no_longer_than(process, seconds) as late:
            last = _follow(process, progress)
    if late.is_set():
        raise CompileError(f"the compiler was not done within {seconds:g} s", code="timeout")
    if process.returncode:
        raise CompileError(last or f"the compiler ended with exit code {process.returncode}")
    draft: dict[str, object] = json.loads((work / "draft.json").read_text())
    for leftover in (request, log, work / "draft.json"):
        leftover.unlink()
    return draft


@contextmanager
def _no_longer_than(process: subprocess.Popen[str], seconds: float | None) -> Iterator[threading.Event]:
    """Kill the process after so many seconds; the event tells that it came to that."""
    late = threading.Event()
    if seconds is None:
        yield late
        return

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _follow(process: subprocess.Popen[str], progress: Progress) -> str:
    """Pass the compiler's steps on as they come; return its error, or the end of its traceback."""
    tail: list[str] = []
    try:
        for line in process.stderr or ():
            if line.startswith("step: "):
                progress(line.removeprefix("step: ").strip())
            elif line.startswith("error: "):
                tail = [line.removeprefix("error: ").strip()]
            else:
                tail = [*tail[-9:], line.rstrip()]
        process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    return "\n".join(tail)


@contextmanager
def compiler_process(interpreter: Path | None = None) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield the compiler's Python and an environment in which it can import this package and nothing beside it.

    Our site-packages would hide the compiler's own versions, so the package is linked into an empty folder. That folder
    is HOME too, and the working folder of whoever compiles: Python looks for modules where it is started.
    """
    python = interpreter or find_interpreter()
    with tempfile.TemporaryDirectory(prefix="wardround-") as folder:
        (Path(folder) / "wardround").symlink_to(Path(__file__).parent, target_is_directory=True)
        yield python, _environment(folder)


# What a machine may need to start a program at all. Nothing else of the caller's environment reaches the compiler: a
# variable of TensorFlow, or Keras's settings below HOME, would change the graphs; and a password is no business of a
# data scientist's Python.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
_FIXED = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PYTHONNOUSERSITE": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_ENABLE_ONEDNN_OPTS": "0",  # otherwise the CPU decides, and graphs are optimized to others
}


def _environment(folder: str) -> dict[str, str]:
    kept = {key: os.environ[key] for key in _KEPT if key in os.environ}
    return kept | _FIXED | {"HOME": folder, "PYTHONPATH": folder}
