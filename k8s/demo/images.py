"""A hospital's images: generated on this machine, and brought into the hospital's claim by a pod that is gone after."""

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

from k8s.demo.shell import apply, kubectl
from wardround.local.phantoms import HOSPITALS, generate_xray_site

SEED = 7
_POD = "wardround-demo-loader"
# All of it is read before anything else: kubectl waits for ever if the other side ends with input left to read.
_UNPACK = (
    "import io, sys, tarfile; packed = io.BytesIO(sys.stdin.buffer.read()); "
    "tarfile.open(fileobj=packed).extractall('/images')"
)
_DIGEST = (
    "import hashlib, pathlib; f = pathlib.Path('/images/labels.csv'); "
    "print(hashlib.sha256(f.read_bytes()).hexdigest() if f.exists() else '')"
)


def generate(folder: Path, site: str, count: int) -> Path:
    """Draws `count` X-rays of the hospital's patients, unless they are there; returns the folder."""
    out = folder / "images" / f"{site}-{count}"
    if not (out / "labels.csv").is_file():
        profile = next(each for each in HOSPITALS if each.name == site)
        generate_xray_site(out, profile, count, SEED)
    return out


def bring(namespace: str, image: str, folder: Path) -> bool:
    """Copies the folder into the claim wardround-images; False if the same is there already."""
    kubectl("-n", namespace, "delete", "pod", _POD, "--ignore-not-found", "--wait=true", "--now")
    apply(_loader(namespace, image))
    inside = ("-n", namespace, "exec", "-i", _POD, "--", "python", "-c")
    try:
        kubectl("-n", namespace, "wait", "--for=condition=Ready", f"pod/{_POD}", "--timeout=300s")
        wanted = hashlib.sha256((folder / "labels.csv").read_bytes()).hexdigest()
        if kubectl(*inside, _DIGEST) == wanted:
            return False
        kubectl(*inside, _UNPACK, stdin=_packed(folder))
        return True
    finally:
        kubectl("-n", namespace, "delete", "pod", _POD, "--now", "--wait=true")


def _packed(folder: Path) -> bytes:
    # The labels come last: if they are there, so is everything else.
    files = sorted(
        (each for each in folder.rglob("*") if each.is_file()), key=lambda each: each.name == "labels.csv"
    )
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for file in files:
            archive.add(file, file.relative_to(folder))
    return packed.getvalue()


def _loader(namespace: str, image: str) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", "import time; time.sleep(3600)"],
        "volumeMounts": [{"name": "images", "mountPath": "/images"}],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"memory": "512Mi"},
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
        "metadata": {"name": _POD, "namespace": namespace},
        "spec": {
            "automountServiceAccountToken": False,
            "restartPolicy": "Never",
            "securityContext": {**user, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [{"name": "images", "persistentVolumeClaim": {"claimName": "wardround-images"}}],
        },
    }
