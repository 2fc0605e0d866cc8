"""A federation on the cluster, set up as people would: charts, credentials, keys, images."""

import io
import json
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.cluster import tenants
from tests.cluster.bed import Bed
from tests.cluster.shell import ROOT, apply, eventually, helm, kubectl, program, secret

FEDERATION = "demo"
COORDINATOR = "wr-coordinator"
SITES = {
    "mhh-hannover-de": "wr-hannover",
    "nih-bethesda-us-1": "wr-bethesda-1",
    "nih-bethesda-us-2": "wr-bethesda-2",
}
EXCHANGE = f"https://wardround-exchange.{COORDINATOR}.svc:9000"
AUDIENCE = "pipelines.kubeflow.org"
RELEASE = "wardround"

# The bed has two processors for everybody: requests say what is reserved, not what may be used.
_SMALL = {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "4Gi"}}
_RETRIES = {"count": 5, "backoffSeconds": 5, "backoffMaxSeconds": 30}
_NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Cluster:
    """The federation's namespaces on a bed; `work`: a folder for files of the test."""

    bed: Bed
    work: Path

    def install_coordinator(self, keys: Mapping[str, str], *more: str, **values: Any) -> None:
        """Installs or upgrades the coordinator's chart; `keys`: public keys of hospitals that told theirs."""
        hospitals = [{"name": site, "publicKey": keys.get(site, "")} for site in SITES]
        everybody = [{"namespaceSelector": {"matchLabels": {_NAME: name}}} for name in SITES.values()]
        merged = {
            "federation": {"name": FEDERATION},
            "hospitals": [{k: v for k, v in each.items() if v} for each in hospitals],
            "steps": {step: {"resources": _SMALL} for step in ("aggregate", "evaluate", "compile")},
            "retries": _RETRIES,
            "networkPolicy": {"hospitals": {"from": everybody}, "mlflow": {"from": everybody}},
            **values,
        }
        standins = ("--values", str(self.bed.coordinator)) if self.bed.coordinator.is_file() else ()
        self._install("wardround-coordinator", COORDINATOR, merged, *standins, *more)

    def members(self) -> dict[str, str]:
        """Public keys of those who are members already, where an earlier session has left its federation."""
        words = ("get", "configmap", "wardround-coordinator", "--ignore-not-found", "-o", "json")
        found = kubectl("-n", COORDINATOR, *words)
        settings = yaml.safe_load(json.loads(found)["data"]["coordinator.yaml"]) if found else {}
        return dict(settings.get("members", {}))

    def install_site(self, site: str, coordinator_key: str, *more: str, **values: Any) -> None:
        """Installs or upgrades a hospital's chart."""
        exchange = {
            "namespaceSelector": {"matchLabels": {_NAME: COORDINATOR}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/component": "exchange"}},
        }
        merged = {
            "federation": {
                "name": FEDERATION,
                "site": site,
                "coordinatorKey": coordinator_key,
                "approvedPlans": values.pop("approved", []),
            },
            "exchange": {"address": EXCHANGE},
            "steps": {step: {"resources": _SMALL} for step in ("preprocess", "train", "evaluate")},
            "retries": _RETRIES,
            "networkPolicy": {"exchange": {"to": [exchange]}},
            "tests": {"otherSite": next(other for other in SITES if other != site)},
            **values,
        }
        self._install("wardround-site", SITES[site], merged, *more)

    def _install(self, chart: str, namespace: str, values: Mapping[str, Any], *more: str) -> None:
        file = self.work / f"{namespace}.values.yaml"
        file.write_text(yaml.safe_dump(dict(values)))
        helm(
            *("upgrade", "--install", RELEASE, str(ROOT / "helm" / chart), "--namespace", namespace),
            *("--values", str(self.bed.images), "--values", str(file), "--wait", "--timeout", "8m", *more),
        )

    def approve(self, site: str, digest: str) -> None:
        """The data steward approves a plan: `wardround site approve` writes such a file into the work volume."""
        self.in_volumes(site, lambda pod: _approve(SITES[site], pod, f"/work/approvals/{digest}"))

    def hand_credential_over(self, site: str) -> None:
        """What the coordinator's IT gives to the hospital's: the exchange's credential, and its authority."""
        found = secret(COORDINATOR, f"wardround-credential-{site}")
        content = {key: value.decode() for key, value in found.items() if key in ("s3.json", "ca.crt")}
        apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "wardround-exchange", "namespace": SITES[site]},
                "stringData": content,
            }
        )

    def bring_images(self, site: str, folder: Path, split_key: Path) -> None:
        """Fills the hospital's claims: DICOM and labels, and the key that assigns patients to splits."""

        def fill(pod: str) -> None:
            _unpack(SITES[site], pod, "/images", folder, sorted(folder.rglob("*")))
            _unpack(SITES[site], pod, "/work", split_key.parent, [split_key])

        self.in_volumes(site, fill)

    def in_volumes(self, site: str, work: Callable[[str], None]) -> None:
        """Does something in a pod of the hospital that has both claims, and can write them."""
        image = yaml.safe_load(self.bed.images.read_text())["images"]["preprocess"]
        name, namespace = "loader", SITES[site]
        apply(_loader(name, namespace, image))
        try:
            kubectl("-n", namespace, "wait", "--for=condition=Ready", f"pod/{name}", "--timeout=180s")
            work(name)
        finally:
            kubectl("-n", namespace, "delete", "pod", name, "--now", "--wait=true", check=False)

    def token(self, namespace: str, account: str = "wardround-submitter") -> str:
        """A token for Kubeflow Pipelines, as a person gets one."""
        return kubectl("-n", namespace, "create", "token", account, "--audience", AUDIENCE, "--duration=4h")

    def token_file(self, namespace: str) -> Path:
        """The same, in a file."""
        path = self.work / f"{namespace}.token"
        path.write_text(self.token(namespace))
        return path


def public_key(namespace: str, *job: str) -> str:
    """A party's public key, as its chart's Job tells it: the last line of its log."""
    lines = eventually(
        lambda: kubectl("-n", namespace, "logs", *job, check=False).splitlines(),
        f"the log of {job[0]} in {namespace}",
    )
    assert re.fullmatch("[0-9a-f]{64}", lines[-1]), lines
    return lines[-1]


def prepare(bed: Bed) -> None:
    """The namespaces, as the cluster's administrator hands them over."""
    for namespace in (COORDINATOR, *SITES.values()):
        tenants.hand_over(bed, namespace)


def _loader(name: str, namespace: str, image: str) -> dict[str, Any]:
    mounts = {"images": "wardround-images", "work": "wardround-work"}
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", "import time; time.sleep(3600)"],
        "volumeMounts": [{"name": each, "mountPath": f"/{each}"} for each in mounts],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    volumes = [
        {"name": each, "persistentVolumeClaim": {"claimName": claim}} for each, claim in mounts.items()
    ]
    security = {"runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "automountServiceAccountToken": False,
            "restartPolicy": "Never",
            "securityContext": {**security, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": volumes,
        },
    }


# All of it is read before anything else: kubectl waits for ever if the other side ends with input left to read.
_UNPACK = (
    "import io, sys, tarfile; packed = io.BytesIO(sys.stdin.buffer.read()); "
    "tarfile.open(fileobj=packed).extractall(sys.argv[1])"
)


def _approve(namespace: str, pod: str, path: str) -> None:
    folder, _, name = path.rpartition("/")
    command = ("python", "-m", "wardround", "site", "approve", name, "--approvals", folder)
    kubectl("-n", namespace, "exec", pod, "--", *command)


def _unpack(namespace: str, pod: str, target: str, folder: Path, files: Iterable[Path]) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for file in files:
            if file.is_file():
                archive.add(file, file.relative_to(folder))
    command = [program("kubectl"), "-n", namespace, "exec", "-i", pod, "--", "python", "-c", _UNPACK, target]
    subprocess.run(command, input=packed.getvalue(), check=True, capture_output=True, timeout=600)
