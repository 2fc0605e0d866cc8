"""Looking at rendered manifests: the pods in them, and what Pod Security `restricted` would say of each."""

from collections.abc import Iterator
from typing import Any

# Kubernetes, "Pod Security Standards", profile Restricted, version 1.34.
_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
_SECCOMP = ("RuntimeDefault", "Localhost")
Manifest = dict[str, Any]


def named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """The one object of this kind and name."""
    (found,) = (each for each in manifests if each["kind"] == kind and each["metadata"]["name"] == name)
    return found


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Every pod that the manifests make: its owner as `kind/name`, and its metadata and spec."""
    for each in manifests:
        name = f"{each['kind']}/{each['metadata']['name']}"
        if each["kind"] == "Pod":
            yield name, {"metadata": each["metadata"], "spec": each["spec"]}
        elif "template" in (each.get("spec") or {}):
            yield name, each["spec"]["template"]


def violations(spec: Manifest) -> list[str]:
    """What the profile Restricted forbids in a pod."""
    context = spec.get("securityContext", {})
    found = [f"{key} is true" for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    found += [f"volume {kind}" for kind in _volume_kinds(spec) - _VOLUMES]
    if context.get("seccompProfile", {}).get("type") not in _SECCOMP:
        found.append("no seccomp profile")
    if not context.get("runAsNonRoot") or context.get("runAsUser") == 0:
        found.append("may run as root")
    return found + [wrong for container in containers(spec) for wrong in _of_container(container)]


def containers(spec: Manifest) -> list[Manifest]:
    """All containers of a pod, initial ones too."""
    return [*spec.get("initContainers", []), *spec["containers"]]


def _volume_kinds(spec: Manifest) -> set[str]:
    return {key for volume in spec.get("volumes", []) for key in volume if key != "name"}


def _of_container(container: Manifest) -> Iterator[str]:
    context, name = container.get("securityContext", {}), container["name"]
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{name}: privilege escalation"
    if context.get("capabilities", {}).get("drop") != ["ALL"]:
        yield f"{name}: capabilities are not dropped"
    if set(context.get("capabilities", {}).get("add", [])) - {"NET_BIND_SERVICE"}:
        yield f"{name}: capabilities are added"
    if context.get("privileged") or context.get("runAsNonRoot") is False or context.get("runAsUser") == 0:
        yield f"{name}: root or privileged"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield f"{name}: a host port"
