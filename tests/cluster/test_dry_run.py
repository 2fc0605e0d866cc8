"""The API server accepts every object that this repository has anybody apply, with all that its admission checks."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm.program import manifests
from helm.program import render as render_chart
from helm.snapshots import cases
from tests.cluster.shell import DemoError, apply, eventually, get, kubectl
from tests.k8s.example_objects import KUSTOMIZATIONS, RELEASES, ROOT, kustomize, render

Object = dict[str, Any]
# Only a whole Kubeflow has them; Kubeflow Pipelines alone does not.
OF_KUBEFLOW = {("kubeflow.org/v1", "Profile")}
CASES = [pytest.param(*case, id=f"{case[0].name}-{case[1].stem}") for case in cases()]
PRIORITIES = ("high", "low")
SAID = "(server dry run)"


@pytest.fixture(scope="module")
def priority_classes() -> Iterator[None]:
    """Those that examples name: pods are refused where they are not."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("no KUBECONFIG: these tests need a cluster")
    missing = [each for each in PRIORITIES if not kubectl("get", "priorityclass", each, "--ignore-not-found")]
    for each in missing:
        kubectl("create", "priorityclass", each, "--value=-1")
    yield
    for each in missing:
        kubectl("delete", "priorityclass", each)


@pytest.fixture(scope="module")
def namespace(priority_classes: None) -> Iterator[str]:
    """One in which nothing is: what is there already may not be changed in every respect."""
    name = f"dry-run-{uuid.uuid4().hex[:6]}"
    kubectl("create", "namespace", name)
    # Pods are refused before their account is there; the default one is made by a controller, a moment later.
    eventually(lambda: get(name, "serviceaccounts")["items"], f"an account in {name}")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def served(namespace: str) -> set[tuple[str, str]]:
    """Version and kind of all that this cluster knows."""
    lines = (line.split() for line in kubectl("api-resources", "--no-headers").splitlines())
    return {(words[-3], words[-1]) for words in lines}


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_a_chart_is_accepted_with_each_of_its_example_values(
    namespace: str, chart: Path, values: Path
) -> None:
    accept(namespace, manifests(render_chart(chart, values, "--namespace", namespace)))


@pytest.mark.parametrize("name", RELEASES)
def test_an_examples_release_is_accepted(namespace: str, name: str, tmp_path: Path) -> None:
    accept(namespace, render(name, tmp_path, namespace=namespace))


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda path: str(path.relative_to(ROOT / "k8s")))
def test_a_kustomization_is_accepted_but_for_what_only_a_whole_kubeflow_has(
    served: set[tuple[str, str]], folder: Path
) -> None:
    objects = kustomize(folder)
    left_out = {kind_of(each) for each in objects} - served
    assert left_out <= OF_KUBEFLOW
    dry_run([each for each in objects if kind_of(each) not in left_out])


def test_the_desk_is_accepted(namespace: str) -> None:
    (pod,) = manifests((ROOT / "k8s/desk/pod.yaml").read_text("utf-8").replace("IMAGE", "example.org/desk:1"))
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "wardround-site"}}
    accept(namespace, [account, pod])


def test_an_object_with_a_field_that_does_not_exist_is_refused(namespace: str) -> None:
    wrong = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "wrong"}, "dta": {"a": "b"}}
    with pytest.raises(DemoError, match='unknown field "dta"'):
        accept(namespace, [wrong])


def accept(namespace: str, objects: list[Object]) -> None:
    """Shows the objects to the API server. What pods name must be there before them, and is made."""
    for each in objects:
        each["metadata"]["namespace"] = namespace
    if accounts := [each for each in objects if each["kind"] == "ServiceAccount"]:
        apply(*accounts)
    dry_run(objects)


def dry_run(objects: list[Object]) -> None:
    """Raises DemoError with what the API server says against one of the objects."""
    words = ("apply", "--dry-run=server", "--validate=strict", "--filename=-")
    said = kubectl(*words, stdin=yaml.safe_dump_all(objects).encode())
    assert objects and said.count(SAID) == len(objects), said


def kind_of(each: Object) -> tuple[str, str]:
    return str(each["apiVersion"]), str(each["kind"])
