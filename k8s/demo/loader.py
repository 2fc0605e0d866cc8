"""A pod that has a hospital's claims for a while, so that something can be brought into them."""

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from k8s.demo.shell import apply, kubectl

# All of it is read before anything else: kubectl waits for ever if the other side ends with input left to read.
_UNPACK = (
    "import io, sys, tarfile; packed = io.BytesIO(sys.stdin.buffer.read()); "
    "tarfile.open(fileobj=packed).extractall(sys.argv[1])"
)


class Loader:
    """The pod, while it runs."""

    def __init__(self, namespace: str, pod: str) -> None:
        self._namespace, self._pod = namespace, pod

    def python(self, *arguments: str, stdin: bytes | None = None) -> str:
        """What `python ARGUMENTS` prints in the pod. Raises DemoError."""
        interactive = () if stdin is None else ("-i",)
        where = ("-n", self._namespace, "exec", *interactive, self._pod)
        return kubectl(*where, "--", "python", *arguments, stdin=stdin)

    def unpack(self, target: str, packed: bytes) -> None:
        """Unpacks an archive into a folder there. Raises DemoError."""
        self.python("-c", _UNPACK, target, stdin=packed)


@contextmanager
def loader(namespace: str, pod: str, image: str, claims: Mapping[str, str]) -> Iterator[Loader]:
    """Starts the pod, and removes it after the block; `claims`: by the folder where each is. Raises DemoError."""
    kubectl("-n", namespace, "delete", "pod", pod, "--ignore-not-found", "--wait=true", "--now")
    apply(_manifest(namespace, pod, image, claims))
    try:
        kubectl("-n", namespace, "wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=300s")
        yield Loader(namespace, pod)
    finally:
        kubectl("-n", namespace, "delete", "pod", pod, "--ignore-not-found", "--wait=true", "--now")


def pack(folder: Path, files: Iterable[Path]) -> bytes:
    """An archive of files, named as they are called below the folder, in the order in which they are given."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for file in files:
            archive.add(file, file.relative_to(folder))
    return packed.getvalue()


def _manifest(namespace: str, pod: str, image: str, claims: Mapping[str, str]) -> dict[str, Any]:
    volumes = {path.strip("/"): claim for path, claim in claims.items()}
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", "import time; time.sleep(3600)"],
        "volumeMounts": [{"name": name, "mountPath": f"/{name}"} for name in volumes],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"memory": "1Gi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    user = {"runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod, "namespace": namespace},
        "spec": {
            "automountServiceAccountToken": False,
            "restartPolicy": "Never",
            "securityContext": {**user, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [
                {"name": name, "persistentVolumeClaim": {"claimName": claim}}
                for name, claim in volumes.items()
            ],
        },
    }
