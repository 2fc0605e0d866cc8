"""The programs that people use on a cluster, as the demo calls them, and what only tests ask of them."""

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from k8s.demo import shell
from k8s.demo.shell import DemoError, apply

__all__ = ["ROOT", "DemoError", "apply", "eventually", "get", "helm", "kubectl", "pods", "secret"]

T = TypeVar("T")

ROOT = Path(__file__).parents[2]

# A test bed has its programs in a folder of its own: those on PATH go before them.
_HOME = os.environ.get("WARDROUND_CLUSTER_HOME") or Path.home() / ".cache" / "wardround-cluster"
os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(_HOME) / "bin")])


def kubectl(*arguments: str, stdin: bytes | None = None, seconds: float = 300) -> str:
    """kubectl's output. Raises DemoError with what it said."""
    return shell.kubectl(*arguments, stdin=stdin, seconds=seconds)


def helm(*arguments: str, seconds: float = 600) -> str:
    """helm's output. Raises DemoError with what it said."""
    return shell.helm(*arguments, seconds=seconds)


def get(namespace: str, *arguments: str) -> Any:
    """Objects, as JSON."""
    return json.loads(kubectl("-n", namespace, "get", *arguments, "-o", "json"))


def secret(namespace: str, name: str) -> dict[str, bytes]:
    """What a Secret holds. Raises AssertionError if there is none."""
    found = shell.secret(namespace, name)
    assert found is not None, f"namespace {namespace} has no Secret {name}"
    return {key: value.encode() for key, value in found.items()}


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
