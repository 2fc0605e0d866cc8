"""The `helm` program and its like, for tests and snapshots: on PATH, or where the test bed's cluster builds them."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml


class HelmError(Exception):
    """Helm ended with an error; the text is what it said."""


def find_program(name: str) -> str | None:
    """A program's path, or None."""
    homes = [os.environ.get("WARDROUND_CLUSTER_HOME"), Path.home() / ".cache/wardround-cluster"]
    folders = [str(Path(home) / "bin") for home in homes if home]
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))


def run_helm(*arguments: str | Path) -> str:
    """What helm prints. Raises HelmError."""
    program = find_program("helm")
    if program is None:
        raise HelmError(
            "no helm program on PATH, in $WARDROUND_CLUSTER_HOME/bin or ~/.cache/wardround-cluster/bin"
        )
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise HelmError(done.stderr.strip() or done.stdout.strip())
    return done.stdout


def render(chart: Path, values: Path, *more: str) -> str:
    """The manifests of a chart, hooks included, as `helm template` writes them. Raises HelmError."""
    return run_helm("template", chart.name, chart, "--namespace", "hospital-a", "--values", values, *more)


def manifests(text: str) -> list[dict[str, Any]]:
    """The objects in rendered manifests."""
    return [document for document in yaml.safe_load_all(text) if document]
