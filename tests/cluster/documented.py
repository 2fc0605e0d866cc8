"""Commands of the documentation, done as they are written there, with a test's names in place of the examples'."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from minio import Minio
from tests.cluster.federation import COORDINATOR, EXCHANGE, RELEASE, SITES
from tests.cluster.shell import ROOT, helm, secret
from urllib3 import PoolManager

SITE = "nih-bethesda-us-1"
HOSPITAL = SITES[SITE]
OPERATIONS = "operations.md"
# What the examples call the hospital and the coordinator, and what they are called here.
_NAMES = {
    "hospital-alder": HOSPITAL,
    "-n coordinator": f"-n {COORDINATOR}",
    "--namespace coordinator": f"--namespace {COORDINATOR}",
    "alder": SITE,
}

# What people see before they go on: a port is forwarded. At the end they close the shell.
_FORWARDED = " > forwarded & until grep -q Forwarding forwarded; do sleep 0.2; done\n"
_CLOSED = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"


def block(page: str, heading: str, number: int = 0) -> str:
    """The commands of a block, counted from 0 under the heading. Raises LookupError."""
    found: list[list[str]] = []
    here = inside = False
    for line in (ROOT / "docs" / page).read_text("utf-8").splitlines():
        if line.startswith("```"):
            inside = not inside
            found += [[]] if here and inside else []
        elif not inside and line.startswith("#"):
            here = line.lstrip("# ") == heading
        elif here and inside:
            found[-1].append(line)
    if number >= len(found):
        raise LookupError(f"{page} has {len(found)} blocks under {heading!r}")
    return "\n".join(found[number]) + "\n"


def run(commands: str, folder: Path, names: Mapping[str, str]) -> str:
    """Runs them in a folder. Raises AssertionError with what they said."""
    for example, name in names.items():
        commands = commands.replace(example, name)
    script = _CLOSED + commands.replace(" &\n", _FORWARDED)
    programs = os.pathsep.join([str(ROOT / "build" / "standins"), os.environ["PATH"]])
    command, variables = (
        ["bash", "-euo", "pipefail", "-c", script],
        {**os.environ, "PATH": programs, "MC_CONFIG_DIR": str(folder)},
    )
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, f"{commands}\n{done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Shell:
    """Where somebody works: in a folder that is not there yet, like the repository, with files that nobody else sees."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir()
        for name in ("helm", "k8s", "docs", "tests", "build"):
            (self.folder / name).symlink_to(ROOT / name)

    def do(self, heading: str, number: int = 0, page: str = OPERATIONS, **more: str) -> str:
        """Does a block of the documentation."""
        return self.lines(block(page, heading, number), **more)

    def lines(self, commands: str, **more: str) -> str:
        """Does some of its lines."""
        return run(commands, self.folder, {**more, **_NAMES})

    def values(self, namespace: str) -> None:
        """Their values file, out of their version control."""
        text = helm("get", "values", RELEASE, "--namespace", namespace, "--output", "yaml")
        (self.folder / "values.yaml").write_text(text)


def login(namespace: str) -> dict[str, bytes]:
    """The exchange's credential that a namespace has."""
    return secret(namespace, "wardround-exchange")


def s3(login: Mapping[str, bytes]) -> Minio:
    """The exchange, with a credential."""
    keys = json.loads(login["s3.json"])
    return Minio(
        endpoint=EXCHANGE.removeprefix("https://"),
        access_key=keys["access_key"],
        secret_key=keys["secret_key"],
        http_client=PoolManager(ca_cert_data=login["ca.crt"].decode()),
    )
