"""What the coordinator's and the hospitals' people do in a shell, with the programs and logins that they have."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from tests.cluster.federation import COORDINATOR, EXCHANGE, FEDERATION, SITES, Cluster
from tests.cluster.kubeflow import Run
from tests.cluster.shell import secret

MLFLOW = f"http://wardround-mlflow.{COORDINATOR}:5000"


def submit(cluster: Cluster, recipe: Path, run: str, *options: str) -> tuple[str, Run]:
    """`wardround submit RECIPE`: the plan's digest, and the coordinator's run."""
    settings = coordinator_settings(cluster)
    said = wardround(
        *("submit", str(recipe), "--run", run, "--settings", str(settings), *options),
        *_kubeflow(cluster, COORDINATOR),
        environment=exchange_login(cluster, COORDINATOR),
    )
    lines = said.splitlines()
    return lines[0].split()[-1], Run(COORDINATOR, lines[-1].rsplit("/", 1)[-1])


def submit_site(cluster: Cluster, site: str, run: str | None = None) -> Run:
    """`wardround submit --site`: the hospital's run."""
    settings = cluster.work / f"{site}.names.yaml"
    settings.write_text(yaml.safe_dump({"federation": FEDERATION, "site": site}))
    named = ("--run", run) if run else ()
    said = wardround(
        "submit", "--site", *named, "--settings", str(settings), *_kubeflow(cluster, SITES[site])
    )
    return Run(SITES[site], said.splitlines()[-1].rsplit("/", 1)[-1])


def status(cluster: Cluster, run: str) -> dict[str, Any]:
    """`wardround status RUN --json`, as the coordinator."""
    said = wardround(
        *("status", run, "--json", "--mlflow-ui", MLFLOW, "--settings", str(coordinator_settings(cluster))),
        *_kubeflow(cluster, COORDINATOR),
        environment=exchange_login(cluster, COORDINATOR),
    )
    found: dict[str, Any] = json.loads(said)
    return found


def abandon(cluster: Cluster, run: str) -> str:
    """`wardround coordinator abandon RUN`, as the coordinator: what it says."""
    return wardround(
        *("coordinator", "abandon", run, "--yes", "--settings", str(coordinator_settings(cluster))),
        environment=exchange_login(cluster, COORDINATOR),
    )


def coordinator_settings(cluster: Cluster) -> Path:
    """The coordinator's settings, with its key as the Secret has it."""
    key, path = cluster.work / "coordinator.pem", cluster.work / "coordinator.yaml"
    key.write_bytes(secret(COORDINATOR, "wardround-key")["key.pem"])
    key.chmod(0o600)
    path.write_text(yaml.safe_dump({"federation": FEDERATION, "exchange": EXCHANGE, "key_file": str(key)}))
    return path


def exchange_login(cluster: Cluster, namespace: str) -> dict[str, str]:
    """The variables with which a party reaches the exchange."""
    found, folder = secret(namespace, "wardround-exchange"), cluster.work / f"{namespace}-exchange"
    folder.mkdir(exist_ok=True)
    for name in ("s3.json", "ca.crt"):
        (folder / name).write_bytes(found[name])
    return {
        "WARDROUND_S3_CREDENTIALS_FILE": str(folder / "s3.json"),
        "WARDROUND_S3_CA_FILE": str(folder / "ca.crt"),
    }


def basic(login: Mapping[str, bytes]) -> str:
    """The header with which a user of MLflow logs in."""
    return "Basic " + base64.b64encode(login["username"] + b":" + login["password"]).decode()


def wardround(*arguments: str, environment: Mapping[str, str] = {}) -> str:
    """The command's output. Raises AssertionError with what it said."""
    command = [sys.executable, "-m", "wardround", *arguments]
    variables = {**os.environ, **environment}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{' '.join(arguments[:4])}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def _kubeflow(cluster: Cluster, namespace: str) -> tuple[str, ...]:
    url, token = cluster.bed.kfp, cluster.token_file(namespace)
    return ("--namespace", namespace, "--kfp-url", url, "--token-file", str(token))
