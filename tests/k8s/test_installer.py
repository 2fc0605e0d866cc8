"""Whoever has the installer's rights can install each chart: they may make all kinds, and hold what they give on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.k8s.example_objects import RELEASES, ROOT, render

ROLE = ROOT / "k8s" / "installer" / "role.yaml"
# What Kubernetes' own ClusterRole `admin` lets make in a namespace, of the kinds that the charts have.
ADMIN = {
    "ConfigMap",
    "CronJob",
    "Deployment",
    "Job",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "Role",
    "RoleBinding",
    "Secret",
    "Service",
    "ServiceAccount",
    "StatefulSet",
}
ADMINS_GROUPS = {"", "apps", "batch"}  # of the rights that it has itself, and so can give on

Right = tuple[str, str, str]


def rights(rules: list[dict[str, Any]]) -> Iterator[Right]:
    """Group, resource and verb of each right."""
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                yield from ((group, resource, verb) for verb in rule["verbs"])


@pytest.fixture(name="more")
def fixture_more() -> set[Right]:
    """What the installer has beside `admin`."""
    (role,) = (each for each in yaml.safe_load_all(ROLE.read_text()) if each["kind"] == "Role")
    return set(rights(role["rules"]))


@pytest.mark.parametrize("name", RELEASES)
def test_an_installer_may_make_and_give_all_that_a_chart_has(
    name: str, more: set[Right], tmp_path: Path
) -> None:
    objects = render(name, tmp_path)
    others = {each["kind"] for each in objects} - ADMIN
    assert others <= {"LimitRange", "ResourceQuota"}
    for resource in ("limitranges", "resourcequotas"):
        assert {("", resource, verb) for verb in ("create", "get", "patch", "delete")} <= more
    given = {right for each in objects if each["kind"] == "Role" for right in rights(each["rules"])}
    assert {right for right in given if right[0] not in ADMINS_GROUPS} <= more


def test_an_installer_has_nothing_beside_that_no_chart_gives(more: set[Right], tmp_path: Path) -> None:
    given = {
        right
        for name in RELEASES
        for each in render(name, tmp_path)
        if each["kind"] == "Role"
        for right in rights(each["rules"])
    }
    assert {right for right in more if right[1] not in ("limitranges", "resourcequotas")} <= given
