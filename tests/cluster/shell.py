"""The programs that people use on a cluster: kubectl and helm."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

ROOT = Path(__file__).parents[2]


def program(name: str) -> str:
    """Where a program is: on PATH, or beside a test bed's other ones. Raises FileNotFoundError."""
    home = os.environ.get("WARDROUND_CLUSTER_HOME") or Path.home() / ".cache" / "wardround-cluster"
    found = shutil.which(name) or shutil.which(name, path=str(Path(home) / "bin"))
    if found is None:
        raise FileNotFoundError(f"{name} is not installed")
    return found


def run(*command: str, stdin: bytes | None = None, check: bool = True, seconds: float = 300) -> str:
    """A command's output. Raises AssertionError with what it said if it fails and `check` is set."""
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=seconds, check=False)
    if check and done.returncode:
        raise AssertionError(
            f"{' '.join(command[:8])}…: {done.returncode}\n{done.stdout.decode()[-2000:]}{done.stderr.decode()[-4000:]}"
        )
    return done.stdout.decode().strip()


def kubectl(*arguments: str, stdin: bytes | None = None, check: bool = True, seconds: float = 300) -> str:
    """kubectl's output."""
    return run(program("kubectl"), *arguments, stdin=stdin, check=check, seconds=seconds)


def helm(*arguments: str, seconds: float = 600) -> str:
    """helm's output."""
    return run(program("helm"), *arguments, seconds=seconds)


def apply(*objects: dict[str, Any]) -> None:
    """Makes or changes objects."""
    content = "\n---\n".join(map(json.dumps, objects))
    kubectl("apply", "-f", "-", stdin=content.encode())


def get(namespace: str, *arguments: str) -> Any:
    """Objects, as JSON."""
    return json.loads(kubectl("-n", namespace, "get", *arguments, "-o", "json"))


def secret(namespace: str, name: str) -> dict[str, bytes]:
    """What a Secret holds."""
    data = get(namespace, "secret", name).get("data", {})
    return {key: base64.b64decode(value) for key, value in data.items()}


def eventually(look: Callable[[], T | None], what: str, seconds: float = 120, every: float = 1.0) -> T:
    """The first result of `look` that is true. Raises AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"waited {seconds:g} s in vain for {what}"
        time.sleep(every)
    return found


def pods(namespace: str, selector: str = "") -> Sequence[dict[str, Any]]:
    """A namespace's pods."""
    chosen = ("-l", selector) if selector else ()
    items: list[dict[str, Any]] = get(namespace, "pods", *chosen)["items"]
    return items
