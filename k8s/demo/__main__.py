"""A federation of three hospitals and a coordinator on the cluster of KUBECONFIG, on generated X-rays.

    python -m k8s.demo              sets it up, trains, and says how it went; can be repeated
    python -m k8s.demo --clean      removes the namespaces that it made, with everything in them

The cluster needs Kubeflow Pipelines in multi-user mode in namespace kubeflow, with its store at minio-service. Each
namespace gets a bucket there, and a user of its own where the store is a MinIO that can make users. The MinIO of 2019 in
Kubeflow's manifests cannot: there, as in any such store, all namespaces share its login, as Kubeflow's profiles do.
WARDROUND_DEMO_ARTIFACTS_ROOT=USER:PASSWORD is the store's administrator where it is not in Kubeflow's own Secret.
"""

import argparse
import json
import os
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from k8s.demo import federation, training
from k8s.demo.artifacts import Store, artifact_store, take_bucket
from k8s.demo.names import MARK, RELEASE, SITES, Names, demo_names
from k8s.demo.shell import DemoError, helm, kubectl, say

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "build" / "images.values.yaml"


def main() -> int:
    """The command line; returns the exit code."""
    given = _arguments()
    login = os.environ.get("WARDROUND_DEMO_ARTIFACTS_ROOT")
    try:
        with artifact_store(login, shared=given.shared_artifacts) as store:
            if given.clean:
                _clean(demo_names(given.prefix), store)
                return 0
            images = given.images or ([IMAGES] if IMAGES.is_file() else [])
            setup = federation.Setup(
                demo_names(given.prefix), given.folder, images, given.images_per_site, given.timeout
            )
            federation.make_namespaces(setup, store)
        return _train(setup, given)
    except DemoError as error:
        say(f"error: {error}")
        return 1


def _train(setup: federation.Setup, given: argparse.Namespace) -> int:
    key = federation.install(setup)
    with tempfile.TemporaryDirectory() as secrets:
        with training.desk(setup.names, Path(secrets), key) as desk:
            submitted = training.start_coordinator(desk, given.recipe, given.rounds)
            federation.approve(setup, key, submitted.digest)
            for site in SITES:
                training.start_site(desk, site, submitted.run)
            status = training.follow(desk, submitted.run, given.seconds)
            phases = training.wait_for_pipelines(setup.names, given.seconds)
    for namespace, phase in phases.items():
        say(f"{namespace}: the pipeline {phase.lower()}")
    say("MLflow: " + _mlflow(setup.names, str(status["model_name"])))
    return 0 if set(phases.values()) == {"Succeeded"} else 1


def _mlflow(names: Names, model: str) -> str:
    where = f"kubectl -n {names.coordinator} port-forward service/wardround-mlflow 5000"
    return f"{where}, then http://localhost:5000/#/models/{model}"


def _clean(names: Names, store: Store) -> None:
    for namespace in names.namespaces():
        found = kubectl("get", "namespace", namespace, "--ignore-not-found", "--output=json")
        if not found:
            continue
        if json.loads(found)["metadata"].get("labels", {}).get(MARK[0]) != MARK[1]:
            say(f"namespace {namespace} is not of the demo: it stays")
            continue
        if helm("-n", namespace, "list", "--short", "--all"):
            helm("-n", namespace, "uninstall", RELEASE, "--wait")
        kubectl("delete", "namespace", namespace, "--wait=true", "--timeout=300s")
        take_bucket(store, namespace)
        say(f"namespace {namespace} is removed, with its bucket for artifacts")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m k8s.demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    recipe = Path(str(files("wardround.local"))) / "recipes" / "demo-xray.yaml"
    add = parser.add_argument
    add("--clean", action="store_true", help="remove what the demo made")
    add("--prefix", default="", help="what stands before the namespaces' names")
    add("--rounds", type=int, default=3, help="rounds of training (3)")
    add("--images-per-site", type=int, default=120, help="generated X-rays of each hospital (120)")
    add("--recipe", type=Path, default=recipe, help="another recipe, for the labels normal and opacity")
    add(
        "--images",
        type=Path,
        action="append",
        help="values with images, may be repeated (build/images.values.yaml if it is there)",
    )
    add(
        "--folder", type=Path, default=ROOT / "build" / "demo-cluster", help="where generated images are kept"
    )
    add("--seconds", type=float, default=1800, help="how long the run may take (1800)")
    add("--timeout", default="10m", help="how long helm waits for a release (10m)")
    add(
        "--shared-artifacts",
        action="store_true",
        help="give all namespaces the login of Kubeflow's own store, without asking it whether it makes users",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
