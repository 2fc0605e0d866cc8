"""Every kustomization builds, and every values file fits its chart, as the examples' README puts them together."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from helm.program import HelmError, find_program
from tests.k8s.example_objects import KUSTOMIZATIONS, ONE, RELEASES, ROOT, SITES, kustomize, render


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Objects of a kind, by name."""
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda path: str(path.relative_to(ROOT / "k8s")))
def test_a_kustomization_builds_namespaces_that_refuse_privileged_pods(folder: Path) -> None:
    namespaces = of_kind(kustomize(folder), "Namespace")
    assert namespaces
    for namespace in namespaces.values():
        labels = namespace["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "baseline"
        assert labels["pod-security.kubernetes.io/warn"] == "restricted"


def test_a_profile_takes_over_the_namespace_that_is_written_beside_it() -> None:
    objects = kustomize(ONE / "profiles")
    profiles, namespaces = of_kind(objects, "Profile"), of_kind(objects, "Namespace")
    assert set(profiles) == set(namespaces) == {"coordinator", *(f"hospital-{site}" for site in SITES)}
    for name, profile in profiles.items():
        assert profile["spec"]["owner"]["name"] == namespaces[name]["metadata"]["annotations"]["owner"]
    assert {each["kind"] for each in objects} == {"Profile", "Namespace"}  # the names' ConfigMaps are gone


def test_both_ways_to_make_the_namespaces_make_the_same_ones() -> None:
    profiles, plain = kustomize(ONE / "profiles"), kustomize(ONE / "namespaces")
    assert set(of_kind(profiles, "Namespace")) == set(of_kind(plain, "Namespace"))


@pytest.mark.parametrize("name", RELEASES)
def test_an_example_s_values_fit_its_chart(name: str, tmp_path: Path) -> None:
    assert of_kind(render(name, tmp_path), "NetworkPolicy")


@pytest.mark.parametrize("name", ["one-cluster/alder", "one-cluster/coordinator"])
def test_in_a_profile_the_chart_leaves_kubeflow_s_objects_to_kubeflow(name: str, tmp_path: Path) -> None:
    files = ("--values", str(ONE / "profiles.values.yaml"))
    assert "kfp-launcher" in of_kind(render(name, tmp_path), "ConfigMap")
    assert "kfp-launcher" not in of_kind(render(name, tmp_path, *files), "ConfigMap")


def test_hospitals_and_coordinator_on_one_cluster_find_each_other(tmp_path: Path) -> None:
    coordinator = render("one-cluster/coordinator", tmp_path)
    namespaces = set(of_kind(kustomize(ONE / "namespaces"), "Namespace"))
    entrance = of_kind(coordinator, "NetworkPolicy")["wardround-coordinator-to-exchange"]
    admitted = {
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for rule in entrance["spec"]["ingress"]
        for peer in rule["from"]
        if "namespaceSelector" in peer
    }
    assert admitted == namespaces - {"coordinator"}
    service = of_kind(coordinator, "Service")["wardround-exchange"]
    for site in SITES:
        settings = of_kind(render(f"one-cluster/{site}", tmp_path), "ConfigMap")["wardround-site"]["data"]
        address = yaml.safe_load(settings["site.yaml"])["exchange"]
        port = service["spec"]["ports"][0]["port"]
        assert address == f"https://wardround-exchange.coordinator.svc:{port}"


def test_a_mistyped_value_is_refused(tmp_path: Path) -> None:
    if find_program("helm") is None:
        pytest.skip("no helm program")
    with pytest.raises(HelmError, match="federaton"):
        render("one-cluster/alder", tmp_path, "--set", "federaton.name=thorax")
