"""What holds for every chart: it is as its values say, closed, legal for each Kubernetes, and restricted."""

from functools import cache
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from helm.program import HelmError, manifests, render, run_helm
from helm.snapshots import cases, snapshot
from manifest_checks import Manifest, containers, named, pods, violations

VERSIONS = ("1.29", "1.30", "1.31", "1.32", "1.33", "1.34")
CASES = [pytest.param(*case, id=f"{case[0].name}-{case[1].stem}") for case in cases()]
LABELS = {
    f"app.kubernetes.io/{key}"
    for key in ("name", "instance", "version", "component", "part-of", "managed-by")
}


@pytest.fixture
def rendered(chart: Path, values: Path) -> list[Manifest]:
    return manifests(text(chart, values))


@cache
def text(chart: Path, values: Path) -> str:
    return render(chart, values)


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_rendering_gives_the_snapshot(chart: Path, values: Path) -> None:
    assert text(chart, values) == snapshot(chart, values).read_text("utf-8"), "run python -m helm.snapshots"


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_helm_lint_finds_nothing(chart: Path, values: Path) -> None:
    assert "0 chart(s) failed" in run_helm("lint", "--strict", chart, "--values", values)


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_every_object_is_legal_for_every_kubernetes(rendered: list[Manifest]) -> None:
    for version in VERSIONS:
        for each in rendered:
            kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_every_pod_is_restricted_and_cannot_write_its_image(rendered: list[Manifest]) -> None:
    found = dict(pods(rendered))
    assert found
    assert {name: wrong for name, pod in found.items() if (wrong := violations(pod["spec"]))} == {}
    every = [container for pod in found.values() for container in containers(pod["spec"])]
    assert all(container["securityContext"]["readOnlyRootFilesystem"] for container in every)


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_every_object_and_pod_has_the_recommended_labels_and_the_releases_namespace(
    rendered: list[Manifest],
) -> None:
    every = [each["metadata"] for each in rendered] + [pod["metadata"] for _, pod in pods(rendered)]
    assert [metadata for metadata in every if not set(metadata["labels"]) >= LABELS] == []
    assert {each["metadata"]["namespace"] for each in rendered} == {"hospital-a"}


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_further_rules_hold_for_pods_of_runs_and_every_pod_of_the_chart_that_goes_out(
    rendered: list[Manifest], values: Path
) -> None:
    given = yaml.safe_load(values.read_text("utf-8")).get("networkPolicy", {}).get("extraEgress", [])
    assert given or values.stem != "full-values"
    policies = [each["spec"] for each in rendered if each["kind"] == "NetworkPolicy"]
    for policy in policies:
        if "Egress" in policy["policyTypes"] and policy["podSelector"] != {}:
            assert [rule for rule in given if rule not in policy["egress"]] == []


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_people_who_submit_have_the_rights_of_the_account_that_submits(
    rendered: list[Manifest], values: Path
) -> None:
    people = yaml.safe_load(values.read_text("utf-8")).get("submitters", [])
    assert people or values.stem != "full-values"
    subjects = named(rendered, "RoleBinding", "wardround-submitter")["subjects"]
    assert [(each["kind"], each["name"]) for each in subjects] == [
        ("ServiceAccount", "wardround-submitter"),
        *(("User", name) for name in people),
    ]


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_who_submits_may_do_what_kubeflow_asks_of_runs_and_their_artifacts(rendered: list[Manifest]) -> None:
    """Part of Kubeflow's ClusterRole kubeflow-pipelines-edit; pipelines can be added to, not changed or removed."""
    rules = named(rendered, "Role", "wardround-submitter")["rules"]
    given = {
        f"{resource}.{rule['apiGroups'][0]}": set(rule["verbs"])
        for rule in rules
        for resource in rule["resources"]
    }
    see, pipelines = {"get", "list"}, "pipelines.kubeflow.org"
    runs = {"terminate", "retry", "archive", "unarchive", "delete", "readArtifact"}
    assert given == {
        f"pipelines.{pipelines}": {*see, "create"},
        f"pipelines/versions.{pipelines}": {*see, "create"},
        f"experiments.{pipelines}": {*see, "create"},
        f"runs.{pipelines}": {*see, "create", *runs},
        f"jobs.{pipelines}": {*see, "create", "enable", "disable", "delete"},
        "viewers.kubeflow.org": {"get"},
    }


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_every_image_is_named_by_digest(rendered: list[Manifest]) -> None:
    images = {container["image"] for _, pod in pods(rendered) for container in containers(pod["spec"])}
    assert images
    assert all("@sha256:" in image for image in images)


@pytest.mark.parametrize(("chart", "values"), CASES)
@pytest.mark.parametrize(
    "typo", ["federation.nmae=thorax", "netwrokPolicy.enabled=false", "pods.nodeselector.a=b"]
)
def test_a_value_that_the_chart_does_not_know_is_refused(chart: Path, values: Path, typo: str) -> None:
    with pytest.raises(HelmError, match=r"(?i)additional propert"):
        render(chart, values, "--set", typo)


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_an_image_by_tag_is_refused(chart: Path, values: Path) -> None:
    with pytest.raises(HelmError, match="does not match pattern"):
        render(chart, values, "--set", "images.control=registry.example.org/wardround/control:latest")
