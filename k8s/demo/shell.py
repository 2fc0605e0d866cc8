"""The programs that people use on a cluster: kubectl, helm, wardround."""

import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

_FORWARDED = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
_FORWARD_S = 30


class DemoError(Exception):
    """The demo cannot go on; the text says why."""


def say(text: str) -> None:
    """One line of progress."""
    print(time.strftime("%H:%M:%S"), text, flush=True)


def program(name: str) -> str:
    """The path of a program. Raises DemoError."""
    found = shutil.which(name)
    if found is None:
        raise DemoError(f"{name} is not installed, or not on PATH")
    return found


def run(
    *command: str,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> str:
    """A command's output. Raises DemoError with what it said, or when it has not ended after `seconds`."""
    variables, called = {**os.environ, **(env or {})}, f"{' '.join(command[:8])} …"
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, env=variables, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise DemoError(f"{called} has not ended after {seconds} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise DemoError(f"{called} failed:\n{said[-3000:]}")
    return done.stdout.decode().strip()


def kubectl(*arguments: str, stdin: bytes | None = None, seconds: float | None = None) -> str:
    """kubectl's output. Raises DemoError."""
    return run(program("kubectl"), *arguments, stdin=stdin, seconds=seconds)


def helm(*arguments: str, seconds: float | None = None) -> str:
    """helm's output. Raises DemoError."""
    return run(program("helm"), *arguments, seconds=seconds)


def wardround(*arguments: str, env: Mapping[str, str]) -> str:
    """What `wardround` prints, run on this machine. Raises DemoError."""
    return run(sys.executable, "-m", "wardround", *arguments, env=env)


def apply(*objects: Mapping[str, Any]) -> None:
    """Makes objects, or changes them."""
    # A list: kubectl does not read several JSON documents in a row, in all of its versions.
    every = {"apiVersion": "v1", "kind": "List", "items": objects}
    kubectl("apply", "--filename=-", stdin=json.dumps(every).encode())


def secret(namespace: str, name: str) -> dict[str, str] | None:
    """What a Secret holds; None if there is none."""
    found = kubectl("-n", namespace, "get", "secret", name, "--ignore-not-found", "--output=json")
    if not found:
        return None
    return {key: base64.b64decode(value).decode() for key, value in json.loads(found)["data"].items()}


@contextlib.contextmanager
def forward(namespace: str, service: str, port: int) -> Iterator[int]:
    """A port of this machine that leads to a Service, as long as the block lasts. Raises DemoError."""
    command = [program("kubectl"), "-n", namespace, "port-forward", f"service/{service}", f":{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        try:
            yield _local_port(child, f"{service}.{namespace}:{port}")
        finally:
            child.terminate()


def _local_port(child: "subprocess.Popen[str]", target: str) -> int:
    end, said = time.monotonic() + _FORWARD_S, ""
    while time.monotonic() < end and child.stdout is not None and (line := child.stdout.readline()):
        said += line
        if found := _FORWARDED.search(line):
            return int(found.group(1))
    raise DemoError(f"no way to {target}: {said.strip() or 'kubectl said nothing'}")
