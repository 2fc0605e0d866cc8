"""A federation on the cluster, set up as people would: charts, credentials, keys, images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kfp
import yaml
from k8s.demo import federation
from k8s.demo.loader import Loader, loader, pack
from k8s.demo.names import RELEASE, Names
from k8s.demo.values import coordinator_values, image_values, site_values
from tests.cluster import kubeflow, tenants
from tests.cluster.bed import Bed
from tests.cluster.demo import Demo
from tests.cluster.shell import DemoError, eventually, kubectl

__all__ = ["RELEASE"]  # and all that is defined here

FEDERATION = "demo"
COORDINATOR = "wr-coordinator"
SITES = {
    "mhh-hannover-de": "wr-hannover",
    "nih-bethesda-us-1": "wr-bethesda-1",
    "nih-bethesda-us-2": "wr-bethesda-2",
}
NAMES = Names(FEDERATION, COORDINATOR, SITES)
EXCHANGE = NAMES.exchange
AUDIENCE = "pipelines.kubeflow.org"

# Sooner than people would: some tests wait until a step has failed as often as it may.
_RETRIES = {"count": 4, "backoffSeconds": 3}


@dataclass(frozen=True)
class Cluster:
    """The federation's namespaces on a bed; `work`: a folder for files of the test."""

    bed: Bed
    work: Path

    def install_coordinator(self, keys: Mapping[str, str], *more: str, **values: Any) -> None:
        """Installs or upgrades the coordinator's chart; `keys`: public keys of hospitals that told theirs."""
        merged = {**coordinator_values(NAMES, keys), "retries": _RETRIES}
        hospitals = merged["networkPolicy"]["hospitals"]
        merged["networkPolicy"]["mlflow"] = hospitals  # tests try from there what the registry refuses
        standins = ("--values", str(self.bed.coordinator)) if self.bed.coordinator.is_file() else ()
        self._install("wardround-coordinator", COORDINATOR, {**merged, **values}, *standins, *more)

    def members(self) -> dict[str, str]:
        """Public keys of those who are members already, where earlier tests have left their federation."""
        return federation.members(NAMES)

    def install_site(self, site: str, coordinator_key: str, *more: str, **values: Any) -> None:
        """Installs or upgrades a hospital's chart."""
        approved = values.pop("approved", [])
        merged = {**site_values(NAMES, site, coordinator_key, approved), "retries": _RETRIES}
        self._install("wardround-site", SITES[site], {**merged, **values}, *more)

    def _install(self, chart: str, namespace: str, values: Mapping[str, Any], *more: str) -> None:
        merged = {**image_values(chart, [self.bed.images]), **values}
        federation.install_release(chart, namespace, merged, "--timeout", "8m", *more)

    def approve(self, site: str, digest: str) -> None:
        """The data steward approves a plan: `wardround site approve` writes such a file into the work volume."""
        command = ("-m", "wardround", "site", "approve", digest, "--approvals", "/work/approvals")
        self.in_volumes(site, lambda pod: pod.python(*command))

    def hand_credential_over(self, site: str) -> None:
        """What the coordinator's IT gives to the hospital's: the exchange's credential, and its authority."""
        federation.hand_credential_over(NAMES, site)

    def bring_images(self, site: str, folder: Path, split_key: Path) -> None:
        """Fills the hospital's claims: DICOM and labels, and the key that assigns patients to splits."""
        files = sorted(each for each in folder.rglob("*") if each.is_file())

        def fill(pod: Loader) -> None:
            pod.unpack("/images", pack(folder, files))
            pod.unpack("/work", pack(split_key.parent, [split_key]))

        self.in_volumes(site, fill)

    def in_volumes(self, site: str, work: Callable[[Loader], object]) -> None:
        """Does something in a pod of the hospital that has both claims, and can write them."""
        image = yaml.safe_load(self.bed.images.read_text())["images"]["preprocess"]
        claims = {"/images": "wardround-images", "/work": "wardround-work"}
        with loader(SITES[site], "loader", image, claims) as pod:
            work(pod)

    def kubeflow(self, namespace: str) -> kfp.Client:
        """Kubeflow Pipelines as a namespace's account that submits sees it."""
        return kubeflow.client(self.bed.kfp, namespace, self.token(namespace))

    def token(self, namespace: str, account: str = "wardround-submitter") -> str:
        """A token for Kubeflow Pipelines, as a person gets one."""
        return kubectl("-n", namespace, "create", "token", account, "--audience", AUDIENCE, "--duration=4h")

    def token_file(self, namespace: str) -> Path:
        """The same, in a file."""
        path = self.work / f"{namespace}.token"
        path.write_text(self.token(namespace))
        return path


def public_key(namespace: str, job: str, *container: str) -> str:
    """A party's public key, as its chart's Job tells it, once it has: `container` is `-c NAME`, if it has several."""

    def look() -> str | None:
        try:
            return federation.public_key(namespace, job.removeprefix("job/"), *container[1:])
        except DemoError:
            return None

    return eventually(look, f"the log of {job} in {namespace}")


def prepare(bed: Bed) -> None:
    """The namespaces, as the cluster's administrator hands them over."""
    for namespace in NAMES.namespaces():
        tenants.hand_over(bed, namespace)


def set_up(cluster: Cluster, demo: Demo) -> Cluster:
    """What the people of four institutions do, in the order in which they can."""
    prepare(cluster.bed)
    cluster.install_coordinator(cluster.members())
    coordinator = public_key(COORDINATOR, "job/wardround-setup", "-c", "key")
    for site in SITES:
        cluster.hand_credential_over(site)
        cluster.install_site(site, coordinator)
        cluster.bring_images(site, demo.images(site), demo.split_key(site))
    keys = {site: public_key(namespace, "job/wardround-site-key") for site, namespace in SITES.items()}
    cluster.install_coordinator(keys)
    return cluster
