"""The run: started by `wardround submit`, followed by `wardround status`, both on this machine."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from k8s.demo.names import SITES, Names
from k8s.demo.shell import DemoError, forward, kubectl, say, secret, wardround

_AUDIENCE = "pipelines.kubeflow.org"
_EVERY_S = 5.0
_FAILED = ("Failed", "Error")
_UNDER_WAY = ("not-opened", "open")


@dataclass(frozen=True)
class Desk:
    """What a person at this machine has: addresses by port-forward, and files with credentials in `folder`."""

    names: Names
    folder: Path
    kfp: str
    settings: Path

    def wardround(self, namespace: str, *arguments: str) -> str:
        """A command as the account that submits in a namespace."""
        token = self.folder / f"{namespace}.token"
        account = ("create", "token", "wardround-submitter", "--audience", _AUDIENCE, "--duration=1h")
        _write(token, kubectl("-n", namespace, *account))
        env = {
            "WARDROUND_KFP_URL": self.kfp,
            "WARDROUND_KFP_NAMESPACE": namespace,
            "WARDROUND_KFP_TOKEN_FILE": str(token),
            "WARDROUND_S3_CREDENTIALS_FILE": str(self.folder / "s3.json"),
            "WARDROUND_S3_CA_FILE": str(self.folder / "ca.crt"),
        }
        return wardround(*arguments, env=env)


@contextmanager
def desk(names: Names, folder: Path, coordinator_key: str) -> Iterator[Desk]:
    """The coordinator's people at their desk, as long as the block lasts."""
    credential = secret(names.coordinator, "wardround-exchange")
    if credential is None:
        raise DemoError("the coordinator has no credential for the exchange")
    for name in ("s3.json", "ca.crt"):
        _write(folder / name, credential[name])
    with forward(names.coordinator, "wardround-exchange", 9000) as exchange:
        with forward("kubeflow", "ml-pipeline", 8888) as kfp:
            settings = folder / "coordinator.yaml"
            address = f"https://localhost:{exchange}"
            known = {"federation": names.federation, "exchange": address, "coordinator_key": coordinator_key}
            _write(settings, yaml.safe_dump(known))
            yield Desk(names, folder, f"http://localhost:{kfp}", settings)


@dataclass(frozen=True)
class Submitted:
    """What `wardround submit` said."""

    digest: str
    run: str


def start_coordinator(desk: Desk, recipe: Path, rounds: int) -> Submitted:
    """Compiles and publishes the recipe, and starts the coordinator's run."""
    options = ("--settings", str(desk.settings), "--rounds", str(rounds))
    said = desk.wardround(desk.names.coordinator, "submit", str(recipe), *options).splitlines()
    found = dict(line.split(" ", 1) for line in said if " " in line)
    say(f"coordinator: run {found['run']} of plan {found['plan'][:12]}… is started")
    return Submitted(found["plan"], found["run"])


def start_site(desk: Desk, site: str, run: str) -> None:
    """Starts the hospital's run."""
    settings = desk.folder / f"{site}.yaml"
    _write(settings, yaml.safe_dump({"federation": desk.names.federation, "site": site}))
    words = ("submit", "--site", "--settings", str(settings), "--run", run)
    desk.wardround(desk.names.site(site), *words)
    say(f"{site}: run started")


def follow(desk: Desk, run: str, seconds: float) -> dict[str, Any]:
    """Says what happens until the run has ended; returns its last status. Raises DemoError."""
    end, seen = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        status = _status(desk, run)
        rounds = status.get("rounds", [])
        for each in rounds[seen:]:
            say(_line(each, status))
        seen = len(rounds)
        if has_ended(status):
            say(f"run {run}: {status['state']}, champion is model {status['champion']}")
            return status
        if failed := list(_failed(desk.names)):
            raise DemoError(f"failed in Kubeflow: {', '.join(failed)}; their pods' logs say why")
        time.sleep(_EVERY_S)
    raise DemoError(f"run {run} has not ended after {seconds:g} s")


def has_ended(status: Mapping[str, Any]) -> bool:
    """Whether a status is a run's last one."""
    return status.get("state", "not-opened") not in _UNDER_WAY


def wait_for_pipelines(names: Names, seconds: float) -> dict[str, str]:
    """How the newest pipeline run of each namespace ended. Raises DemoError if one did not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        phases = {namespace: _newest_phase(namespace) for namespace in names.namespaces()}
        if all(phase in ("Succeeded", *_FAILED) for phase in phases.values()):
            return phases
        time.sleep(_EVERY_S)
    raise DemoError(f"after {seconds:g} s pipelines are {phases}")


def _status(desk: Desk, run: str) -> dict[str, Any]:
    try:
        words = ("status", run, "--settings", str(desk.settings), "--json")
        return dict(json.loads(desk.wardround(desk.names.coordinator, *words)))
    except DemoError as error:
        if "[missing]" not in str(error):
            raise
        return {}  # the coordinator's first step has not opened the run yet


def _line(done: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    figures = "".join(f", {name} {value:.4f}" for name, value in sorted(done["figures"].items()))
    sites = f"{len(done['accepted'])} of {len(SITES)} hospitals"
    return f"round {done['round']} ({status['rounds_wanted']} train): {done['status']}, {sites}{figures}"


def _failed(names: Names) -> Iterator[str]:
    for namespace in names.namespaces():
        if _newest_phase(namespace) in _FAILED:
            yield namespace


def _newest_phase(namespace: str) -> str:
    found = json.loads(kubectl("-n", namespace, "get", "workflows.argoproj.io", "--output=json"))["items"]
    newest: dict[str, Any] = max(found, key=lambda each: each["metadata"]["creationTimestamp"], default={})
    return str(newest.get("status", {}).get("phase", "Pending"))


def _write(path: Path, text: str) -> None:
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600), encoding="utf-8") as out:
        out.write(text)
