"""The hospital's chart by itself, without Kubeflow: install, what is closed, who may do what, and what stays."""

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml
from tests.cluster.bed import Bed
from tests.cluster.connections import client, reached, server
from tests.cluster.shell import ROOT, apply, get, helm, kubectl, secret

from wardround.exchange.envelope import SigningKey

CHART = str(ROOT / "helm" / "wardround-site")
OWN = {"app.kubernetes.io/name": "wardround-site", "app.kubernetes.io/instance": "alder"}
WAIT = ("--wait", "--timeout", "180s")


@dataclass(frozen=True)
class Site:
    """A namespace with the release `alder`, and another one with an exchange; `image`: that of the chart's Jobs."""

    here: str
    elsewhere: str
    values: tuple[str, ...]
    image: str

    def helm(self, verb: str, release: str, *more: str) -> None:
        helm("--namespace", self.here, verb, release, *more)

    def install(self, release: str) -> None:
        self.helm("install", release, CHART, *self.values, *WAIT)

    def names(self, kinds: str) -> set[str]:
        return {item["metadata"]["name"] for item in get(self.here, kinds)["items"]}

    def what_must_stay(self) -> dict[str, object]:
        claims = get(self.here, "persistentvolumeclaims")["items"]
        volumes = {item["metadata"]["uid"]: item["spec"]["volumeName"] for item in claims}
        return {"volumes": volumes, "key": secret(self.here, "wardround-key")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    images = Bed.from_environment().images
    if not os.environ.get("KUBECONFIG") or not images.is_file():
        pytest.skip(f"needs KUBECONFIG and {images}")
    name = f"site-chart-{uuid.uuid4().hex[:6]}"
    elsewhere = f"{name}-other"
    values = tmp_path_factory.mktemp("site") / "values.yaml"
    values.write_text(yaml.safe_dump(chart_values(elsewhere)), "utf-8")
    image = yaml.safe_load(images.read_text("utf-8"))["images"]["control"]
    for namespace in (name, elsewhere):
        kubectl("create", "namespace", namespace)
    try:
        kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        made = Site(name, elsewhere, ("--values", str(values), "--values", str(images)), image)
        made.install("alder")
        yield made
    finally:
        kubectl("delete", "namespace", name, elsewhere, "--wait=false")


def chart_values(elsewhere: str) -> dict[str, object]:
    peer = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": elsewhere}},
        "podSelector": {"matchLabels": {"app": "exchange"}},
    }
    return {
        "federation": {"name": "thorax", "site": "alder", "coordinatorKey": "ab" * 32},
        "exchange": {"address": f"https://exchange.{elsewhere}:9000"},
        "work": {"size": "1Gi"},
        "dicom": {"volume": {"size": "1Gi"}},
        "pipeline": {"register": False},
        "networkPolicy": {"exchange": {"to": [peer], "ports": [9000]}},
    }


def test_every_pod_runs_where_restricted_is_enforced_and_the_volumes_can_be_used(site: Site) -> None:
    kubectl("-n", site.here, "wait", "--for=condition=Complete", "job", "--all", "--timeout=120s")
    (volumes,) = (name for name in site.names("jobs") if name.startswith("wardround-site-volumes-"))
    log = kubectl("-n", site.here, "logs", f"job/{volumes}")
    assert "work: can be written" in log
    assert "images: can be read; nothing is in it yet" in log


def test_the_keys_public_half_is_in_the_jobs_log_and_the_private_one_is_not(site: Site) -> None:
    log, stored = (
        kubectl("-n", site.here, "logs", "job/wardround-site-key"),
        secret(site.here, "wardround-key"),
    )
    public = SigningKey.from_pem(stored["key.pem"], "the Secret").public.text
    assert log.split("\n")[1] == public == stored["public.txt"].decode()
    assert stored["key.pem"].decode().split("\n")[1] not in log


def test_each_sort_of_pod_reaches_what_it_is_for_and_nothing_comes_in(site: Site) -> None:
    exchange, api = f"exchange.{site.elsewhere}:9000", "kubernetes.default:443"
    stranger, neighbour = f"stranger.{site.elsewhere}:9000", f"neighbour.{site.here}:9000"
    targets = [exchange, f"exchange.{site.elsewhere}:9001", stranger, neighbour, api, "192.0.2.1:443"]
    sorts: dict[str, tuple[dict[str, str], set[str]]] = {
        "run": ({"workflows.argoproj.io/workflow": "any"}, {exchange, api}),
        "key": (OWN | {"app.kubernetes.io/component": "key"}, {api}),
        "test-exchange": (OWN | {"app.kubernetes.io/component": "test-exchange"}, {exchange}),
        "test-kubeflow": (OWN | {"app.kubernetes.io/component": "test-kubeflow"}, set()),
        "anything": ({"some": "label"}, set()),
    }
    listen(site)
    tries = [
        client(site.here, f"try-{name}", labels, site.image, targets) for name, (labels, _) in sorts.items()
    ]
    apply(*tries, client(site.elsewhere, "try-inward", {}, site.image, [neighbour, stranger]))
    for name, (_, wanted) in sorts.items():
        found = reached(site.here, f"try-{name}")
        assert set(found) == set(targets)
        assert {target for target, is_open in found.items() if is_open} == wanted, name
    assert reached(site.elsewhere, "try-inward") == {neighbour: False, stranger: True}


def listen(site: Site) -> None:
    apply(
        *server(site.elsewhere, "exchange", site.image, 9000, 9001),
        *server(site.elsewhere, "stranger", site.image, 9000),
        *server(site.here, "neighbour", site.image, 9000),
    )
    for namespace in (site.here, site.elsewhere):
        kubectl("-n", namespace, "wait", "--for=condition=Ready", "pod", "-l", "app", "--timeout=120s")


@pytest.mark.parametrize("account, verb, resource, name, may", [
    ("wardround-setup", "create", "secrets", "", True),
    ("wardround-setup", "get", "secrets", "wardround-key", True),
    ("wardround-setup", "get", "secrets", "wardround-exchange", False),
    ("wardround-setup", "list", "secrets", "", False),
    ("wardround-submitter", "get", "secrets", "wardround-key", False),
    ("wardround-submitter", "create", "pods", "", False),
    ("wardround-submitter", "create", "pipelines.kubeflow.org/runs", "", True),
    ("wardround-site", "get", "secrets", "wardround-exchange", False),
    ("default-editor", "get", "secrets", "wardround-key", False),
    ("default-editor", "get", "secrets", "mlpipeline-minio-artifact", True),
    ("default-editor", "create", "pods", "", False),
    ("default-editor", "create", "pipelines.kubeflow.org/runs", "", False),
])  # fmt: skip
def test_an_account_may_do_what_it_is_for_here_and_nothing_elsewhere(
    site: Site, account: str, verb: str, resource: str, name: str, may: bool
) -> None:
    for namespace, expected in ((site.here, may), (site.elsewhere, False)):
        group, _, kind = resource.rpartition("/")
        attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": kind, "name": name}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": f"system:serviceaccount:{site.here}:{account}",
                "resourceAttributes": attributes,
            },
        }
        answer = kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(review).encode())
        assert json.loads(answer)["status"]["allowed"] is expected


def test_an_upgrade_and_a_rollback_keep_claims_and_key(site: Site) -> None:
    before = site.what_must_stay()
    site.helm("upgrade", "alder", CHART, *site.values, "--set", "pods.labels.department=radiology", *WAIT)
    assert site.what_must_stay() == before
    site.helm("rollback", "alder", "1", *WAIT)
    assert site.what_must_stay() == before


def test_what_an_uninstall_leaves_is_found_by_the_same_release_and_by_another_one(site: Site) -> None:
    before = site.what_must_stay()
    for again in ("alder", "alder-anew"):
        site.helm("uninstall", "alder", "--wait")
        assert site.what_must_stay() == before
        site.install(again)
        assert site.what_must_stay() == before
    kubectl("-n", site.here, "wait", "--for=condition=Complete", "job", "--all", "--timeout=120s")
    site.helm("uninstall", "alder-anew", "--wait")
    assert site.what_must_stay() == before
    assert site.names("serviceaccounts,rolebindings,networkpolicies,resourcequotas,limitranges") == {
        "default"
    }
