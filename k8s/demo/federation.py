"""Setting the federation up, in the order in which four institutions can."""

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from k8s.demo import images
from k8s.demo.artifacts import Store, give_bucket
from k8s.demo.names import MARK, RELEASE, SITES, Names
from k8s.demo.shell import DemoError, apply, helm, kubectl, say, secret
from k8s.demo.values import CHARTS, LAPTOP, coordinator_values, image_values, site_values

_PUBLIC_KEY = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Setup:
    """`images`: files of values with images, none for the published ones; `timeout`: how long helm waits."""

    names: Names
    folder: Path
    images: Sequence[Path]
    count: int
    timeout: str = "10m"


def make_namespaces(setup: Setup, store: Store) -> None:
    """The namespaces, as a cluster's administrator hands them over."""
    for namespace in setup.names.namespaces():
        found = kubectl("get", "namespace", namespace, "--ignore-not-found", "--output=yaml")
        if found and yaml.safe_load(found)["metadata"].get("labels", {}).get(MARK[0]) != MARK[1]:
            raise DemoError(f"namespace {namespace} is there, and not of the demo: choose another --prefix")
        hand_namespace_over(store, namespace, {MARK[0]: MARK[1]})
        say(f"namespace {namespace}: ready, with a bucket for Kubeflow's artifacts")


def hand_namespace_over(store: Store, namespace: str, labels: Mapping[str, str]) -> None:
    """One namespace, with a bucket and a user for Kubeflow's artifacts; can be repeated."""
    security = {
        "pod-security.kubernetes.io/enforce": "baseline",  # an init container of KFP's own breaks `restricted`
        "pod-security.kubernetes.io/warn": "restricted",
    }
    metadata = {"name": namespace, "labels": {**security, **labels}}
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    give_bucket(store, namespace)


def install(setup: Setup) -> str:
    """Everything up to the first run; returns the coordinator's public key."""
    install_coordinator(setup, members(setup.names))
    coordinator = public_key(setup.names.coordinator, "wardround-setup", "key")
    say(f"the coordinator's public key: {coordinator}")
    _everywhere(lambda site: _install_hospital(setup, site, coordinator))
    keys = {site: public_key(setup.names.site(site), "wardround-site-key") for site in SITES}
    install_coordinator(setup, keys)
    say(f"members: {', '.join(keys)}")
    return coordinator


def install_coordinator(setup: Setup, keys: Mapping[str, str]) -> None:
    """Installs or upgrades the coordinator's chart."""
    _install(setup, "wardround-coordinator", setup.names.coordinator, coordinator_values(setup.names, keys))
    say(f"coordinator: installed, {len(keys)} hospitals have told their key")


def members(names: Names) -> dict[str, str]:
    """Public keys of those who are members already: they stay so while an earlier demo is set up again."""
    words = ("get", "configmap", "wardround-coordinator", "--ignore-not-found", "--output=yaml")
    found = kubectl("-n", names.coordinator, *words)
    if not found:
        return {}
    settings = yaml.safe_load(yaml.safe_load(found)["data"]["coordinator.yaml"])
    return dict(settings.get("members", {}))


def approve(setup: Setup, coordinator: str, digest: str) -> None:
    """What data stewards do after they have looked at the plan."""

    def one(site: str) -> None:
        values = site_values(setup.names, site, coordinator, [digest])
        _install(setup, "wardround-site", setup.names.site(site), values)
        say(f"{site}: approved plan {digest[:12]}…")

    _everywhere(one)


def public_key(namespace: str, job: str, container: str = "") -> str:
    """A party's public key, as the chart's Job tells it. Raises DemoError."""
    chosen = ("--container", container) if container else ()
    lines = kubectl("-n", namespace, "logs", f"job/{job}", *chosen).splitlines()
    if not lines or not _PUBLIC_KEY.fullmatch(lines[-1]):
        raise DemoError(f"the log of Job {job} in {namespace} shows no public key")
    return lines[-1]


def _install_hospital(setup: Setup, site: str, coordinator: str) -> None:
    namespace = setup.names.site(site)
    hand_credential_over(setup.names, site)
    _install(setup, "wardround-site", namespace, site_values(setup.names, site, coordinator, []))
    say(f"{site}: installed in {namespace}")
    image = _image(setup, namespace)
    brought = images.bring(namespace, image, images.generate(setup.folder, site, setup.count))
    say(f"{site}: {setup.count} generated X-rays {'brought' if brought else 'are there'}")


def hand_credential_over(names: Names, site: str) -> None:
    """The exchange's credential and authority: between institutions, by a way that only the hospital can read."""
    given = secret(names.coordinator, f"wardround-credential-{site}")
    if given is None:
        raise DemoError(f"the coordinator's chart made no credential for {site}")
    content = {key: given[key] for key in ("s3.json", "ca.crt")}
    metadata = {"name": "wardround-exchange", "namespace": names.site(site)}
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": content})


def _image(setup: Setup, namespace: str) -> str:
    """The image of a Job of the site's chart, which is on the node already."""
    path = "jsonpath={.spec.template.spec.containers[0].image}"
    return kubectl("-n", namespace, "get", "job/wardround-site-key", "--output", path)


def _install(setup: Setup, chart: str, namespace: str, values: Mapping[str, Any]) -> None:
    merged = {**values, **LAPTOP[chart], **image_values(chart, setup.images)}
    install_release(chart, namespace, merged, "--timeout", setup.timeout)


def install_release(chart: str, namespace: str, values: Mapping[str, Any], *options: str) -> None:
    """Installs or upgrades a namespace's release, and waits for its pods."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(dict(values), file)
        file.flush()
        command = ("upgrade", "--install", RELEASE, str(CHARTS / chart), "--namespace", namespace)
        helm(*command, "--values", file.name, "--wait", *options)


def _everywhere(task: Callable[[str], None], sites: Sequence[str] = SITES) -> None:
    with ThreadPoolExecutor(len(sites)) as pool:
        list(pool.map(task, sites))
