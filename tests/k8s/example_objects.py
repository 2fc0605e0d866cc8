"""What lies under k8s/, as people put it together: every kustomization, and the releases with the examples' values."""

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm.program import find_program, manifests, run_helm

ROOT = Path(__file__).parents[2]
ONE = ROOT / "k8s" / "examples" / "one-cluster"
MANY = ROOT / "k8s" / "examples" / "cluster-per-hospital"
KEY = "0123456789abcdef" * 4
SITES = ("alder", "birch", "cedar")
COMPONENTS = {
    "wardround-site": ("control", "compile", "preprocess", "train", "evaluate"),
    "wardround-coordinator": ("control", "mlflow", "aggregate", "evaluate", "compile"),
}
# What each release is installed with: chart, namespace, values files, what a person is told.
RELEASES = {
    **{
        f"one-cluster/{site}": (
            "wardround-site",
            f"hospital-{site}",
            [ONE / "hospital.values.yaml", ONE / f"{site}.values.yaml"],
        )
        for site in SITES
    },
    "one-cluster/coordinator": ("wardround-coordinator", "coordinator", [ONE / "coordinator.values.yaml"]),
    "cluster-per-hospital/hospital": (
        "wardround-site",
        "hospital-alder",
        [MANY / "hospital" / "values.yaml"],
    ),
    "cluster-per-hospital/coordinator": (
        "wardround-coordinator",
        "coordinator",
        [MANY / "coordinator" / "values.yaml"],
    ),
}
KUSTOMIZATIONS = sorted(
    path.parent
    for path in (ROOT / "k8s").rglob("kustomization.yaml")
    if yaml.safe_load(path.read_text())["kind"] == "Kustomization"
)


@cache
def kustomize(folder: Path) -> list[dict[str, Any]]:
    """What `kubectl kustomize` builds. Skips where there is no kubectl."""
    program = find_program("kubectl")
    if program is None:
        pytest.skip("no kubectl program")
    done = subprocess.run([program, "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return manifests(done.stdout)


def render(name: str, folder: Path, *more: str, namespace: str | None = None) -> list[dict[str, Any]]:
    """A release of the examples, with images that look published and an API server that has an address.

    `namespace`: another one than the example's.
    """
    if find_program("helm") is None:
        pytest.skip("no helm program")
    chart, usual, files = RELEASES[name]
    given = {
        "images": {each: f"registry.example.org/{each}@sha256:{'a' * 64}" for each in COMPONENTS[chart]},
        "networkPolicy": {"kubernetesApi": {"to": [{"ipBlock": {"cidr": "192.0.2.1/32"}}]}},
    }
    if chart == "wardround-site":
        given["federation"] = {"coordinatorKey": KEY}
    told = folder / "told.yaml"
    told.write_text(yaml.safe_dump(given))
    values = [word for file in (*files, told) for word in ("--values", str(file))]
    arguments = ("template", "wardround", ROOT / "helm" / chart, "--namespace", namespace or usual)
    return manifests(run_helm(*arguments, *values, *more))
