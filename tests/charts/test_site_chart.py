"""The hospital's chart: what its values become, and which ones it refuses."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from evaluation import evaluate
from helm.build import CHARTS
from helm.program import HelmError, manifests, render
from manifest_checks import Manifest, named, pods

from wardround.exchange.envelope import PublicKey
from wardround.imaging.sources.settings import image_source
from wardround.kubeflow.package import compile_package
from wardround.kubeflow.profile import Profile, Resources
from wardround.site.settings import SiteSettings

CHART = CHARTS / "wardround-site"
MINIMAL, FULL, PROFILE = (CHART / "ci" / f"{name}-values.yaml" for name in ("minimal", "full", "profile"))


@cache
def rendered(values: Path = MINIMAL, *more: str) -> list[Manifest]:
    return manifests(render(CHART, values, *more))


def settings(values: Path = MINIMAL, *more: str) -> dict[str, Any]:
    data = named(rendered(values, *more), "ConfigMap", "wardround-site")["data"]
    return {name: yaml.safe_load(text) for name, text in data.items()}


def arguments(manifests: list[Manifest], job: str) -> list[str]:
    return named(manifests, "Job", job)["spec"]["template"]["spec"]["containers"][0]["args"]


def egress(manifests: list[Manifest], policy: str) -> list[Manifest]:
    return named(manifests, "NetworkPolicy", policy)["spec"]["egress"]


@pytest.mark.parametrize("values", [MINIMAL, FULL, PROFILE], ids=lambda path: path.stem)
def test_the_settings_are_what_a_site_reads(
    values: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the pipeline passes to each step.
    monkeypatch.setenv("WARDROUND_SITE_RUN", "winter")
    monkeypatch.setenv("WARDROUND_SITE_DATA", "/work/datasets/one")
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(settings(values)["site.yaml"]), "utf-8")
    found = SiteSettings.load(path)
    assert (found.federation, found.site, found.work) == ("thorax", "alder", Path("/work"))
    assert PublicKey(found.coordinator_key)
    assert image_source(found.dicom or "", found.select)


@pytest.mark.parametrize("values", [MINIMAL, FULL, PROFILE], ids=lambda path: path.stem)
def test_the_profile_is_what_the_pipeline_is_compiled_from(values: Path, tmp_path: Path) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text(yaml.safe_dump(settings(values)["profile.yaml"]), "utf-8")
    profile = Profile.load(path)
    assert (profile.party, profile.name, profile.federation) == ("site", "alder", "thorax")
    compiled = compile_package("site", profile, tmp_path / "site.yaml").read_text("utf-8")
    assert all(image in compiled for image in profile.images.values())


def test_values_that_look_like_numbers_or_truth_stay_text() -> None:
    more = ("--set-string", "federation.name=1e3", "--set-string", "federation.site=no")
    found = settings(MINIMAL, *more)
    assert (found["site.yaml"]["federation"], found["site.yaml"]["site"]) == ("1e3", "no")
    assert (found["profile.yaml"]["federation"], found["profile.yaml"]["name"]) == ("1e3", "no")


def test_plain_numbers_of_steps_reach_the_profile_without_an_exponent(tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    asked = {
        "requests": {"cpu": 0.001, "memory": 8589934592},
        "limits": {"cpu": 100000, "memory": 17179869184},
    }
    path.write_text(yaml.safe_dump({"steps": {"train": {"resources": asked}}}), "utf-8")
    found = settings(MINIMAL, "--values", str(path))["profile.yaml"]["resources"]["train"]
    assert found == {
        "cpu_request": "0.001", "cpu_limit": "100000",
        "memory_request": "8589934592", "memory_limit": "17179869184",
    }  # fmt: skip
    assert Resources.model_validate(found)


def test_approvals_are_files_in_the_work_volume_unless_a_config_map_has_them() -> None:
    assert settings(MINIMAL)["site.yaml"]["approvals"] == "/work/approvals"
    assert settings(FULL)["site.yaml"]["approvals"] == "/etc/wardround/approvals"
    assert settings(FULL)["profile.yaml"]["approvals_config_map"] == "approved-plans"


def test_the_profile_names_what_the_release_uses() -> None:
    found = settings(FULL)["profile.yaml"]
    assert (found["work_claim"], found["images_claim"]) == ("wardround-work", "radiology")
    assert (found["key_secret"], found["exchange_secret"], found["source_secret"]) == (
        "signing-key", "exchange-login", "archive-login",
    )  # fmt: skip
    assert found["resources"]["train"]["gpu"] == {"resource": "nvidia.com/gpu", "count": 1}
    assert "gpu" not in found["resources"]["preprocess"]
    assert set(found["images"]) == {"compile", "preprocess", "train", "evaluate"}


@pytest.mark.parametrize(("verify", "step"), [("always", True), ("if-possible", True), ("never", False)])
def test_runs_begin_with_verifying_the_plan_unless_the_hospital_says_never(verify: str, step: bool) -> None:
    found = settings(MINIMAL, "--set", f"federation.verify={verify}")
    assert found["site.yaml"]["verify"] == verify
    assert found["profile.yaml"]["verifies"] is step


def test_an_authority_is_trusted_for_https_only() -> None:
    assert settings(MINIMAL)["profile.yaml"]["exchange_has_ca"] is True
    assert settings(FULL)["profile.yaml"]["exchange_has_ca"] is False
    assert settings(PROFILE)["profile.yaml"]["exchange_has_ca"] is False


def test_nothing_comes_in_and_no_rule_is_open_to_everywhere() -> None:
    for values in (MINIMAL, FULL):
        policies = [each for each in rendered(values) if each["kind"] == "NetworkPolicy"]
        everybody = [each for each in policies if each["spec"]["podSelector"] == {}]
        assert [each["spec"]["policyTypes"] for each in everybody] == [["Ingress", "Egress"]]
        assert not any("ingress" in each["spec"] for each in policies)
        rules = [rule for each in policies for rule in each["spec"]["egress"]]
        assert rules and all(rule["to"] and rule["ports"] for rule in rules)


def test_each_sort_of_pod_reaches_only_what_it_needs() -> None:
    found = rendered(FULL)
    archive = {"to": [{"ipBlock": {"cidr": "198.51.100.0/24", "except": ["198.51.100.7/32"]}}],
               "ports": [{"port": 8042, "protocol": "TCP"}]}  # fmt: skip
    assert archive in egress(found, "wardround-site-runs")
    assert archive in egress(found, "wardround-site-exchange")
    assert archive not in egress(found, "wardround-site-key") + egress(found, "wardround-site-kubeflow")
    assert archive not in egress(found, "wardround-site-default-deny")


def test_every_pod_of_the_chart_is_selected_by_a_policy_or_needs_no_network() -> None:
    found = rendered(FULL)
    selected = {
        component
        for each in found if each["kind"] == "NetworkPolicy"
        for rule in each["spec"]["podSelector"].get("matchExpressions", [])
        for component in rule.get("values", [])
    }  # fmt: skip
    components = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for _, pod in pods(found)}
    assert components - selected == {"volumes"}


def test_labels_of_the_values_are_on_every_pod_and_cannot_replace_those_that_policies_select_by() -> None:
    labels = [pod["metadata"]["labels"] for _, pod in pods(rendered(FULL))]
    assert all(each["department"] == "radiology" for each in labels)
    assert settings(FULL)["profile.yaml"]["labels"]["department"] == "radiology"
    with pytest.raises(HelmError, match="schema"):
        render(CHART, MINIMAL, "--set", r"pods.labels.app\.kubernetes\.io/component=exchange")


def test_only_the_job_that_makes_the_key_and_the_keeper_may_talk_to_kubernetes() -> None:
    mounts = {name: pod["spec"]["automountServiceAccountToken"] for name, pod in pods(rendered(FULL))}
    assert {name for name, mounted in mounts.items() if mounted} == {
        "Job/wardround-site-key",
        "Deployment/wardround-keeper",
    }
    rules = named(rendered(FULL), "Role", "wardround-setup")["rules"]
    readable = [rule for rule in rules if "get" in rule["verbs"]]
    assert [rule.get("resourceNames") for rule in readable] == [["signing-key"]]
    assert not any({"list", "watch", "*"} & set(rule["verbs"]) for rule in rules)


def test_the_keeper_sees_how_runs_stand_and_retries_them_and_nothing_else() -> None:
    assert named(rendered(FULL), "Role", "wardround-keeper")["rules"] == [
        {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["list", "watch"]},
        {"apiGroups": ["pipelines.kubeflow.org"], "resources": ["runs"], "verbs": ["get", "retry"]},
    ]


def test_the_schedule_is_made_and_ended_with_the_release() -> None:
    found = rendered(FULL)
    assert arguments(found, "wardround-site-pipeline")[-4:] == [
        "--recurring-cron", "0 0 2 * * *", "--parameters", "/etc/wardround/settings/parameters.yaml",
    ]  # fmt: skip
    assert arguments(found, "wardround-site-schedule-end")[-1] == "--no-recurring"
    hooks = named(found, "Job", "wardround-site-schedule-end")["metadata"]["annotations"]
    assert hooks["helm.sh/hook"] == "pre-delete"


@pytest.mark.parametrize("start, made", [
    (("start=schedule", "cron=* * * * *"), True), (("start=schedule", "seconds=60"), True),
    (("start=once",), False), (("start=nothing",), False),
])  # fmt: skip
def test_a_schedule_is_known_by_the_job_that_made_it(
    start: tuple[str, ...], made: bool, tmp_path: Path
) -> None:
    """By it an upgrade to register=false and start=nothing, when no schedule is in the values, knows to end it."""
    more = tuple(word for each in start for word in ("--set", f"pipeline.{each}"))
    path = tmp_path / "job.json"
    path.write_text(
        json.dumps({"job": named(rendered(MINIMAL, *more), "Job", "wardround-site-pipeline")}), "utf-8"
    )
    expression = 'include "wardround-site.makesSchedule" (.Files.Get "job.json" | fromJson).job'
    assert (evaluate(CHART, MINIMAL, expression, files=(path,)) == "true") is made


def test_without_a_job_that_made_a_schedule_nothing_is_registered() -> None:
    expression = 'include "wardround-site.makesSchedule" dict'
    assert evaluate(CHART, MINIMAL, expression) == ""
    names = {name for name, _ in pods(rendered(MINIMAL, "--set", "pipeline.register=false"))}
    assert "Job/wardround-site-pipeline" not in names


def test_a_single_run_is_started_at_install_but_not_by_an_upgrade() -> None:
    once = ("--set", "pipeline.start=once")
    assert arguments(rendered(MINIMAL, *once), "wardround-site-pipeline")[-1] == "--run-once"
    upgraded = rendered(MINIMAL, *once, "--is-upgrade")
    assert arguments(upgraded, "wardround-site-pipeline")[-1] == "--no-recurring"


def test_claims_outlive_the_release_unless_told_otherwise() -> None:
    for claim in ("wardround-work", "wardround-images"):
        metadata = named(rendered(), "PersistentVolumeClaim", claim)["metadata"]
        assert metadata["annotations"] == {"helm.sh/resource-policy": "keep"}
    lost = named(rendered(MINIMAL, "--set", "work.keep=false"), "PersistentVolumeClaim", "wardround-work")
    assert "annotations" not in lost["metadata"]


def test_a_profiles_own_objects_are_not_made_again() -> None:
    names = {(each["kind"], each["metadata"]["name"]) for each in rendered(PROFILE)}
    for made_elsewhere in (
        ("ServiceAccount", "default-editor"), ("ConfigMap", "kfp-launcher"), ("ConfigMap", "metadata-grpc-configmap"),
    ):  # fmt: skip
        assert made_elsewhere not in names
    assert not {kind for kind, _ in names} & {
        "PersistentVolumeClaim",
        "NetworkPolicy",
        "ResourceQuota",
        "LimitRange",
    }


@pytest.mark.parametrize("wrong, words", [
    ("federation.name=", "federation.name is not given"),
    ("federation.site=coordinator", "cannot be called"),
    ("federation.coordinatorKey=", "federation.coordinatorKey is not given"),
    ("exchange.address=", "exchange.address is not given"),
    ("exchange.address=http://exchange.example.org", "plain http"),
    ("networkPolicy.exchange.to=null", "networkPolicy.exchange.to is not given"),
    ("networkPolicy.kubernetesApi.to=null", "networkPolicy.kubernetesApi.to is not given"),
    ("pipeline.start=schedule", "either pipeline.cron or pipeline.seconds"),
    ("pipeline.start=schedule,pipeline.cron=* * * * *,pipeline.seconds=60", "either pipeline.cron or pipeline.seconds"),
    ("pipeline.start=once,pipeline.register=false", "cannot be started"),
    ("limitRange.default.cpu=1", "steps.evaluate.resources requests cpu without a limit"),
    ("images.train=", "make images"),
])  # fmt: skip
def test_values_that_cannot_work_are_refused_with_what_to_do(wrong: str, words: str) -> None:
    with pytest.raises(HelmError, match=words):
        render(CHART, MINIMAL, *(argument for each in wrong.split(",") for argument in ("--set", each)))


@pytest.mark.parametrize("wrong", [
    "federation.coordinatorKey=ABC", "federation.site=Alder", "exchange.address=s3.example.org", "work.size=much",
    "dicom.burnedIn=hide", "pipeline.start=always", "steps.train.gpu.count=-1", "signingKey.create=maybe",
    "networkPolicy.exchange.to[0].ipBlock.cidr=everywhere", "federation.approvedPlans={latest}",
    "steps.train.resources.requests.memroy=1Gi", "steps.train.resources.limits.memory=1.5Gi",
    r"steps.train.resources.limits.nvidia\.com/gpu=1", "pods.resources.limits.memroy=1Gi",
])  # fmt: skip
def test_values_of_another_form_are_refused(wrong: str) -> None:
    with pytest.raises(HelmError, match="schema"):
        render(CHART, MINIMAL, "--set", wrong)
