"""A cluster on a laptop for `make demo-cluster`: `python -m k8s.kind.up`, and `--down` to remove it.

kind's cluster, Kubeflow Pipelines in multi-user mode from its own manifests, the images of `make images`. It needs the
internet, kind, kubectl, and docker or podman; it can be repeated.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from k8s.demo.shell import DemoError, kubectl, program, run, say

ROOT = Path(__file__).parents[2]
CLUSTER = "wardround"
PIPELINES = "2.14.3"
ISTIO = "1.26.4"

_MANIFESTS = "https://github.com/kubeflow/pipelines//manifests/kustomize"
SCOPED = f"{_MANIFESTS}/cluster-scoped-resources?ref={PIPELINES}"
MULTI_USER = f"{_MANIFESTS}/env/platform-agnostic-multi-user?ref={PIPELINES}"
# The manifests hold rules for a mesh. The mesh isn't installed: its resource types are, so that they can be applied.
MESH_TYPES = (
    f"https://raw.githubusercontent.com/istio/istio/{ISTIO}/manifests/charts/base/files/crd-all.gen.yaml"
)
# What containers of runs may do, as a cluster's administrator says it.
_CONFINED = (
    "workflow-controller-configmap",
    "--type=merge",
    f"--patch-file={ROOT / 'k8s/kubeflow/workflow-controller.yaml'}",
)
_ATTEMPTS = 5


def up() -> None:
    """Everything up to a cluster that the demo can use. Raises DemoError."""
    engine = _engine()
    if CLUSTER not in run(program("kind"), "get", "clusters").split():
        say(f"kind: making cluster {CLUSTER}")
        run(program("kind"), "create", "cluster", "--config", str(ROOT / "k8s/kind/cluster.yaml"))
    _context()
    say(f"Kubeflow Pipelines {PIPELINES}: types")
    kubectl("apply", "--server-side", "-f", MESH_TYPES)
    kubectl("apply", "--server-side", "-k", SCOPED)
    say(f"Kubeflow Pipelines {PIPELINES}: servers")
    _apply_until_known(MULTI_USER)
    kubectl("-n", "kubeflow", "patch", "configmap", *_CONFINED)
    kubectl("-n", "kubeflow", "wait", "--for=condition=Available", "deployment", "--all", "--timeout=20m")
    _load(engine)
    say("ready: make demo-cluster")


def down() -> None:
    """Removes the cluster. Raises DemoError."""
    run(program("kind"), "delete", "cluster", "--name", CLUSTER)
    say(f"cluster {CLUSTER} is removed")


def _engine() -> str:
    chosen = os.environ.get("KIND_EXPERIMENTAL_PROVIDER", "docker")
    return program(chosen)


def _context() -> None:
    kubectl("config", "use-context", f"kind-{CLUSTER}")


def _apply_until_known(manifests: str) -> None:
    """Some objects are of types that the same manifests bring: they are refused until the types are known."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            kubectl("apply", "--server-side", "--force-conflicts", "-k", manifests)
            return
        except DemoError as error:
            if attempt == _ATTEMPTS or "no matches for kind" not in str(error):
                raise
            kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s")


def _load(engine: str) -> None:
    """Gives the node the images that were built here; published ones it pulls by itself."""
    if not (ROOT / "build" / "images").is_dir():
        say("no images in build/images: run `make images` first, or have published ones pulled")
        return
    ctr = f"{engine} exec -i {CLUSTER}-control-plane ctr"
    say("images: loading")
    run(str(ROOT / "tests/cluster/load_images.sh"), env={"WARDROUND_CTR": ctr})


def main(words: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m k8s.kind.up", description=__doc__)
    parser.add_argument("--down", action="store_true", help="remove the cluster")
    given = parser.parse_args(words)
    try:
        down() if given.down else up()
    except DemoError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
