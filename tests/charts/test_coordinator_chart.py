"""The coordinator's chart: what its values become, and which ones it refuses."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm.build import CHARTS
from helm.program import HelmError, manifests, render
from manifest_checks import Manifest, containers, named, pods

from wardround.cluster.identities import identities
from wardround.cluster.mlflow_users import secret_names
from wardround.cluster.settings import ClusterSettings
from wardround.coordinator.publish import PREFIX
from wardround.coordinator.readiness import CheckSettings
from wardround.coordinator.settings import CoordinatorSettings
from wardround.processes import load_settings

CHART = CHARTS / "wardround-coordinator"
MINIMAL, FULL, EXTERNAL = (CHART / "ci" / f"{name}-values.yaml" for name in ("minimal", "full", "external"))
ALL = pytest.mark.parametrize("values", [MINIMAL, FULL, EXTERNAL], ids=lambda path: path.stem)


@cache
def rendered(values: Path = MINIMAL, *more: str) -> list[Manifest]:
    return manifests(render(CHART, values, *more))


def data(name: str, values: Path = MINIMAL, *more: str) -> dict[str, Any]:
    found = named(rendered(values, *more), "ConfigMap", name)["data"]
    return {file: yaml.safe_load(text) for file, text in found.items()}


def cluster(values: Path = MINIMAL, *more: str) -> ClusterSettings:
    return ClusterSettings.model_validate(data("wardround-cluster", values, *more)["cluster.yaml"])


def policy(name: str, values: Path = MINIMAL) -> Manifest:
    return named(rendered(values), "NetworkPolicy", name)["spec"]


@ALL
def test_the_settings_are_what_a_coordinator_reads(
    values: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the pipeline passes to each step.
    monkeypatch.setenv("WARDROUND_COORDINATOR_RUN", "winter")
    monkeypatch.setenv("WARDROUND_COORDINATOR_PLAN", "/work/plan")
    path = tmp_path / "coordinator.yaml"
    path.write_text(yaml.safe_dump(data("wardround-coordinator", values)["coordinator.yaml"]), "utf-8")
    found = CoordinatorSettings.load(path)
    assert (found.federation, found.work) == ("thorax", Path("/work"))
    assert "alder" in found.members


def test_a_hospital_without_a_public_key_has_a_bucket_and_is_no_member() -> None:
    assert set(data("wardround-coordinator")["coordinator.yaml"]["members"]) == {"alder"}
    assert cluster().hospitals == ("alder", "birch")


@ALL
def test_the_jobs_read_their_configuration_and_may_reach_exactly_its_secrets(values: Path) -> None:
    settings = cluster(values)
    wanted = {settings.exchange.root_secret, *(each.secret for each in identities(settings))}
    if settings.exchange.tls_secret:
        wanted.add(settings.exchange.tls_secret)
    if settings.certificate:
        wanted.add(settings.certificate.authority_secret)
    if settings.mlflow:
        wanted |= {*secret_names(settings.mlflow).values(), settings.mlflow.server_secret}
        wanted.add(settings.mlflow.database_secret)
    if values != EXTERNAL:
        wanted.add("wardround-key")
    if settings.exchange.users == "none":
        wanted -= {each.secret for each in identities(settings) if each.hospital}
        wanted |= {"wardround-credential-alder"}  # the chart names it, and nobody makes it
    rules = named(rendered(values), "Role", "wardround-setup")["rules"]
    assert [rule.get("resourceNames") for rule in rules if rule["verbs"] == ["create"]] == [None]
    (named_rule,) = (rule for rule in rules if "get" in rule["verbs"])
    assert set(named_rule["resourceNames"]) == wanted
    assert named_rule["verbs"] == ["get", "patch"]


@ALL
def test_the_templates_make_no_secret(values: Path) -> None:
    assert not [each for each in rendered(values) if each["kind"] == "Secret"]


def test_everything_that_a_server_mounts_is_made_before_it_starts() -> None:
    from wardround.cluster.prepare import prepare

    class Store(dict):  # type: ignore[type-arg]
        def read(self, name: str) -> Any:
            return self.get(name)

        def create_if_absent(self, name: str, make: Any) -> Any:
            from wardround.cluster.secrets import Stored

            if name not in self:
                self[name] = Stored(name, dict(make()), {})
            return self[name]

        def patch(self, name: str, content: Any) -> Any:
            self[name].content.update(content)
            return self[name]

    store = Store()
    prepare(cluster(), store)  # type: ignore[arg-type]
    servers = [
        each for each in pods(rendered()) if not each[0].startswith("Pod/")
    ]  # those are of `helm test`
    for owner, pod in servers:
        for volume in pod["spec"].get("volumes", []):
            if secret := volume.get("secret"):
                keys = {item["key"] for item in secret.get("items", [])}
                assert keys <= set(store[secret["secretName"]].content), owner
        for container in containers(pod["spec"]):
            for variable in container.get("env", []):
                if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                    assert reference["key"] in store[reference["name"]].content, owner


def test_no_secret_is_in_an_argument_or_a_plain_variable() -> None:
    for _, pod in pods(rendered(FULL)):
        for container in containers(pod["spec"]):
            plain = [each["name"] for each in container.get("env", []) if "value" in each]
            assert not [
                name for name in plain if name.endswith(("PASSWORD", "SECRET", "KEY", "URI", "TOKEN"))
            ]


def test_mlflow_asks_who_writes_and_answers_to_its_own_names_only() -> None:
    deployment = named(rendered(FULL), "Deployment", "wardround-mlflow")
    args = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert {"--app-name=basic-auth", "--enable-workspaces", "--serve-artifacts"} <= set(args)
    (hosts,) = (arg.partition("=")[2].split(",") for arg in args if arg.startswith("--allowed-hosts"))
    assert "wardround-mlflow:5000" in hosts and "mlflow.example.org" in hosts and "*" not in hosts


def test_only_named_peers_come_in_and_no_rule_is_open_to_everywhere() -> None:
    for values in (MINIMAL, FULL, EXTERNAL):
        policies = [each["spec"] for each in rendered(values) if each["kind"] == "NetworkPolicy"]
        everybody = [each for each in policies if each["podSelector"] == {}]
        assert [each["policyTypes"] for each in everybody] == [["Ingress", "Egress"]]
        assert "ingress" not in everybody[0]
        for each in policies:
            assert all(rule["to"] and rule["ports"] for rule in each.get("egress", []))
            assert all(rule["from"] and rule["ports"] for rule in each.get("ingress", []))


def test_hospitals_reach_the_exchange_and_nothing_else() -> None:
    hospital = {"ipBlock": {"cidr": "198.51.100.0/24"}}
    assert hospital in policy("wardround-coordinator-to-exchange", FULL)["ingress"][0]["from"]
    assert hospital not in policy("wardround-coordinator-to-mlflow", FULL)["ingress"][0]["from"]
    (only,) = policy("wardround-coordinator-to-database", FULL)["ingress"][0]["from"]
    assert only["podSelector"]["matchExpressions"][0]["values"] == ["mlflow"]


def test_every_pod_of_the_chart_is_selected_by_an_egress_policy_or_needs_no_network() -> None:
    found = rendered(FULL)
    selected = {
        component
        for each in found
        if each["kind"] == "NetworkPolicy" and each["spec"]["policyTypes"] == ["Egress"]
        for rule in each["spec"]["podSelector"].get("matchExpressions", [])
        for component in rule.get("values", [])
    }
    components = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for _, pod in pods(found)}
    assert components - selected == {"volumes", "exchange", "database"}


@ALL
def test_helm_test_finds_what_the_settings_name(values: Path, tmp_path: Path) -> None:
    """Also before the first hospital is a member, when there is no run that could use them."""
    settings = data("wardround-coordinator", values)["coordinator.yaml"]
    without = {name: value for name, value in settings.items() if name != "members"}
    path = tmp_path / "coordinator.yaml"
    path.write_text(yaml.safe_dump(without), "utf-8")
    found = load_settings(CheckSettings, path, PREFIX)
    (container,) = named(rendered(values), "Pod", "wardround-coordinator-test-exchange")["spec"]["containers"]
    mounted = {Path(each["mountPath"]) for each in container["volumeMounts"]}
    files = {each["value"] for each in container["env"] if each["name"].endswith("_FILE")}
    assert {found.key_file.parent, *(Path(file).parent for file in files)} <= mounted
    given = {each["name"] for each in container["env"]}
    assert (found.tracking_uri is not None) == ("MLFLOW_TRACKING_PASSWORD" in given)


def test_only_jobs_that_make_secrets_and_the_keeper_may_talk_to_kubernetes() -> None:
    mounts = {name: pod["spec"]["automountServiceAccountToken"] for name, pod in pods(rendered(FULL))}
    assert {name for name, mounted in mounts.items() if mounted} == {
        "Job/wardround-prepare",
        "Job/wardround-setup",
        "Deployment/wardround-keeper",
    }


def test_data_outlives_the_release() -> None:
    for name in ("wardround-exchange", "wardround-mlflow-db"):
        spec = named(rendered(), "StatefulSet", name)["spec"]
        assert spec["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Retain"
    claim = named(rendered(), "PersistentVolumeClaim", "wardround-work")["metadata"]
    assert claim["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_what_is_somewhere_else_is_not_made_here() -> None:
    found = {(each["kind"], each["metadata"]["name"]) for each in rendered(EXTERNAL)}
    assert not {kind for kind, _ in found} & {"StatefulSet", "PersistentVolumeClaim", "ResourceQuota"}
    assert ("ServiceAccount", "default-editor") not in found
    settings = cluster(EXTERNAL)
    assert (settings.exchange.users, settings.exchange.create_buckets, settings.certificate) == (
        "none", False, None,
    )  # fmt: skip
    assert data("wardround-coordinator", EXTERNAL)["profile.yaml"]["exchange_has_ca"] is False


@pytest.mark.parametrize("wrong, words", [
    ("federation.name=", "federation.name is not given"),
    ("hospitals[0].name=coordinator", "cannot be called"),
    ("hospitals[1].name=alder", "named twice"),
    ("federation.name=a-very-long-name-of-a-federation-indeed,hospitals[1].name=an-equally-long-name", "63 characters"),
    ("exchange.enabled=false", "exchange.external.address is not given"),
    ("exchange.enabled=false,exchange.external.address=http://s3.example.org", "plain http"),
    ("database.enabled=false", "networkPolicy.database.to is not given"),
    ("mlflow.enabled=false,mlflow.external.address=https://mlflow.example.org", "networkPolicy.mlflow.to is not given"),
    ("exchange.enabled=false,exchange.external.address=https://s3.example.org", "networkPolicy.exchange.to is not"),
    ("mlflow.readers={admin}", "own user"),
    ("mlflow.bucket=wardround-thorax-alder", "could be a hospital's"),
    ("networkPolicy.kubernetesApi.to=null", "networkPolicy.kubernetesApi.to is not given"),
    ("limitRange.default.cpu=1", "requests cpu without a limit"),
    ("images.evaluate=", "make images"),
])  # fmt: skip
def test_values_that_cannot_work_are_refused_with_what_to_do(wrong: str, words: str) -> None:
    with pytest.raises(HelmError, match=words):
        render(CHART, MINIMAL, *(argument for each in wrong.split(",") for argument in ("--set", each)))


@pytest.mark.parametrize("wrong", [
    "federation.name=Thorax", "hospitals[0].publicKey=ABC", "hospitals[0].nmae=alder", "exchange.minio.size=much",
    "exchange.service.type=Public", "exchange.tls.days=9000", "images.minio=minio:latest", "images.postgres=postgres",
    "exchange.external.users=all", "mlflow.workers=0", "disruption.maxUnavailable=2", "database.user=0",
    "steps.aggregate.resources.requests.memroy=1Gi", "steps.compile.resources.limits.cpu=1Gi", "retries.count=21",
    "mlflow.resources.limits.memroy=1Gi",
])  # fmt: skip
def test_values_of_another_form_are_refused(wrong: str) -> None:
    with pytest.raises(HelmError, match="schema"):
        render(CHART, MINIMAL, "--set", wrong)
