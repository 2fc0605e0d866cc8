"""What a hospital cannot do, tried from inside a pod of one of its runs, and with its accounts."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import connections, inside, tenants
from tests.cluster.demo import Demo
from tests.cluster.federation import COORDINATOR, EXCHANGE, FEDERATION, SITES, Cluster
from tests.cluster.first_run import RUN, Finished
from tests.cluster.kubeflow import Run
from tests.cluster.people import MLFLOW, basic
from tests.cluster.probing import probe
from tests.cluster.shell import DemoError, apply, eventually, get, kubectl, secret

from wardround.exchange.layout import Layout, RunKeys, plan_key

OURS, THEIRS = "nih-bethesda-us-1", "mhh-hannover-de"
SCRIPT = (Path(__file__).parent / "inside.py").read_text()


@pytest.fixture(scope="module")
def findings(cluster: Cluster, finished: Finished) -> dict[str, str]:
    """What came of each thing that was tried from inside."""
    layout, keys = Layout(FEDERATION), RunKeys(RUN)
    listening = _listen(cluster, SITES[THEIRS])
    wishes = {
        "exchange": EXCHANGE,
        "own": layout.site(OURS),
        "buckets": {
            layout.site(THEIRS): keys.join,
            layout.coordinator: keys.round_file(1, "state.json"),
            layout.federation: plan_key(finished.digest, "plan.json"),
        },
        "connect": [
            listening,
            f"wardround-mlflow-db.{COORDINATOR}.svc:5432",
            "1.1.1.1:443",
            "8.8.8.8:53",
        ],
        "request": [
            [f"{MLFLOW}/api/2.0/mlflow/experiments/create", "POST", None],
            [f"{MLFLOW}/api/2.0/mlflow/registered-models/create", "POST", None],
        ],
    }
    return probe(cluster, OURS, SCRIPT, wishes)


def test_every_request_about_another_ones_bucket_is_refused(findings: dict[str, str]) -> None:
    buckets = (Layout(FEDERATION).site(THEIRS), Layout(FEDERATION).coordinator)
    tried = {name: end for name, end in findings.items() if name.split()[-1] in buckets}
    assert len(tried) == 28
    assert {name: end for name, end in tried.items() if "AccessDenied" not in end} == {}
    assert findings["own bucket"] == "allowed"


def test_what_the_coordinator_publishes_can_be_read_and_nothing_else(findings: dict[str, str]) -> None:
    bucket = f" {Layout(FEDERATION).federation}"
    tried = {name.removesuffix(bucket): end for name, end in findings.items() if name.endswith(bucket)}
    reads = {"list", "head bucket", "get", "head", "copy"}  # copied into the hospital's own bucket
    assert {name for name, end in tried.items() if end == "allowed"} == reads
    assert {name: end for name, end in tried.items() if end != "allowed" and "AccessDenied" not in end} == {}
    assert len(tried) == 14


def test_other_hospitals_and_the_internet_cannot_be_reached(findings: dict[str, str]) -> None:
    tried = {name: end for name, end in findings.items() if name.startswith("connect ")}
    assert tried
    assert {name: end for name, end in tried.items() if end == "allowed"} == {}


def test_the_registry_cannot_be_written_from_a_hospitals_pod(findings: dict[str, str]) -> None:
    tried = {name: end for name, end in findings.items() if name.startswith("POST ")}
    assert tried
    assert {name: end for name, end in tried.items() if end == "allowed"} == {}


def test_the_registry_lets_a_hospitals_user_look_and_nothing_more(finished: Finished) -> None:
    reader = basic(secret(COORDINATOR, f"wardround-mlflow-reader-{OURS}"))
    look, make = f"{MLFLOW}/api/2.0/mlflow/registered-models/search", f"{MLFLOW}/api/2.0/mlflow"
    assert inside.requested(look, "GET", reader) == "allowed"
    assert inside.requested(look, "GET", None) == "refused: HTTP 401"
    assert inside.requested(look, "GET", basic({"username": b"admin", "password": b"password1234"})) == (
        "refused: HTTP 401"
    )
    for what in ("experiments", "registered-models"):
        assert inside.requested(f"{make}/{what}/create", "POST", reader) == "refused: HTTP 403"


def test_a_hospitals_account_starts_and_sees_nothing_in_anothers_namespace(
    cluster: Cluster, finished: Finished
) -> None:
    token, namespace = cluster.token(SITES[OURS]), SITES[THEIRS]
    theirs = finished.runs[namespace].run_id
    asked = {
        "create": _status(cluster, token, "POST", "runs", _copy(cluster, finished.runs[namespace])),
        "list": _status(cluster, token, "GET", f"runs?namespace={namespace}"),
        "get": _status(cluster, token, "GET", f"runs/{theirs}"),
        "own": _status(cluster, token, "GET", f"runs?namespace={SITES[OURS]}"),
    }
    assert asked == {"create": 403, "list": 403, "get": 403, "own": 200}


def test_logs_and_artifacts_are_in_a_bucket_that_only_the_hospital_reads(
    cluster: Cluster, finished: Finished
) -> None:
    mine, other = tenants.store(cluster.bed, SITES[OURS]), tenants.store(cluster.bed, SITES[THEIRS])
    kept = [each.object_name for each in mine.list_objects(bucket_name=SITES[OURS], recursive=True)]
    assert any("executor-logs" in str(name) for name in kept)
    with pytest.raises(Exception, match="AccessDenied"):
        list(other.list_objects(bucket_name=SITES[OURS], recursive=True))


def test_logs_and_artifacts_hold_nothing_of_a_patient(
    cluster: Cluster, finished: Finished, demo: Demo
) -> None:
    planted = demo.identifiers(OURS)
    store, bucket = tenants.store(cluster.bed, SITES[OURS]), SITES[OURS]
    objects = [each.object_name for each in store.list_objects(bucket_name=bucket, recursive=True)]
    assert objects
    for name in objects:
        content = store.get_object(bucket_name=bucket, object_name=str(name)).read()
        assert not [word for word in planted if word in content], name


def _listen(cluster: Cluster, namespace: str) -> str:
    """The address of a pod that listens, and is known to: it has reached itself."""
    image = yaml.safe_load(cluster.bed.images.read_text())["images"]["preprocess"]
    apply(*connections.server(namespace, "listens", image, 9000))
    kubectl("-n", namespace, "wait", "--for=condition=Ready", "pod/listens", "--timeout=120s")
    address = f"{get(namespace, 'pod', 'listens')['status']['podIP']}:9000"
    connect = f"import socket; socket.create_connection('{address}'.split(':'), timeout=5)"
    eventually(lambda: _works("-n", namespace, "exec", "listens", "--", "python", "-c", connect), address)
    return address


def _works(*arguments: str) -> bool:
    try:
        kubectl(*arguments)
    except DemoError:
        return False
    return True


def _status(cluster: Cluster, token: str, method: str, path: str, body: Any = None) -> int:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{cluster.bed.kfp}/apis/v2beta1/{path}", data=data, method=method)
    request.add_header("Authorization", f"Bearer {token}")
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def _copy(cluster: Cluster, run: Run) -> dict[str, Any]:
    """An order for the same run once more, as its owner could give it."""
    owner = cluster.kubeflow(run.namespace)
    found = owner.get_run(run.run_id)
    version = found.pipeline_version_reference
    return {
        "display_name": "intruder",
        "experiment_id": found.experiment_id,
        "pipeline_version_reference": {
            "pipeline_id": version.pipeline_id,
            "pipeline_version_id": version.pipeline_version_id,
        },
        "runtime_config": {"parameters": {"run": RUN}},
    }
