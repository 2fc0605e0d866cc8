"""The coordinator's chart where the S3 server and the database are somebody else's: nothing of both is made here."""

import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from minio import Minio
from minio.credentials.providers import StaticProvider
from minio.error import S3Error
from minio.minioadmin import MinioAdmin
from tests.cluster.bed import Bed
from tests.cluster.shell import ROOT, apply, get, helm, kubectl, secret

from wardround.exchange.layout import Layout

CHART = str(ROOT / "helm" / "wardround-coordinator")
WAIT = ("--wait", "--timeout", "5m")
HOSPITALS = ("alder", "birch")
MINIO = {"matchLabels": {"app": "minio"}}


@dataclass(frozen=True)
class Outside:
    """A release in namespace `here` of a federation of that name; its database is in namespace `there`."""

    bed: Bed
    here: str
    there: str

    def client(self, user: str, password: str) -> Minio:
        """The S3 server."""
        return Minio(endpoint=self.bed.artifacts, access_key=user, secret_key=password, secure=False)

    def sql(self, question: str) -> str:
        """What the database answers."""
        words = ("psql", "-U", "mlflow", "-tAc", question)
        return kubectl("-n", self.there, "exec", "database", "--", *words)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    bed = Bed.from_environment()
    if not os.environ.get("KUBECONFIG") or not (bed.images.is_file() and bed.coordinator.is_file()):
        pytest.skip(f"needs KUBECONFIG, {bed.images} and {bed.coordinator}")
    here = f"outside-{secrets.token_hex(3)}"
    made = Outside(bed, here, f"{here}-servers")
    folder = tmp_path_factory.mktemp("outside")
    (folder / "values.yaml").write_text(yaml.safe_dump(chart_values(made)), "utf-8")
    files = (folder / "values.yaml", bed.images, bed.coordinator)
    given = [word for file in files for word in ("--values", str(file))]
    kubectl("create", "namespace", made.here)
    kubectl("create", "namespace", made.there)
    try:
        kubectl("label", "namespace", made.here, "pod-security.kubernetes.io/enforce=restricted")
        database(made)
        root = {"rootUser": bed.artifacts_user, "rootPassword": bed.artifacts_password}
        metadata = {"name": "wardround-exchange-root", "namespace": here}
        apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": root})
        helm("--namespace", here, "install", "wardround", CHART, *given, *WAIT)
        yield made
    finally:
        kubectl("delete", "namespace", made.here, made.there, "--wait=false")
        tidy(made)


def tidy(made: Outside) -> None:
    """Removes buckets, users and policies of this federation from the S3 server."""
    root = made.client(made.bed.artifacts_user, made.bed.artifacts_password)
    for bucket in (each.name for each in root.list_buckets() if made.here in each.name):
        for entry in root.list_objects(bucket_name=bucket, recursive=True, include_version=True):
            root.remove_object(bucket_name=bucket, object_name=entry.object_name, version_id=entry.version_id)
        root.remove_bucket(bucket_name=bucket)
    login = StaticProvider(made.bed.artifacts_user, made.bed.artifacts_password)
    admin = MinioAdmin(endpoint=made.bed.artifacts, credentials=login, secure=False)
    for user, found in json.loads(admin.user_list()).items():
        if made.here in found.get("policyName", ""):
            admin.user_remove(user)
    for policy in json.loads(admin.policy_list()):
        if made.here in policy:
            admin.policy_remove(policy)


def chart_values(made: Outside) -> dict[str, Any]:
    servers = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": made.there}}}
    kubeflow = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kubeflow"}}}
    return {
        "federation": {"name": made.here},
        "hospitals": [{"name": name} for name in HOSPITALS],
        "exchange": {
            "enabled": False,
            "external": {"address": f"http://{made.bed.artifacts}", "allowHttp": True, "users": "minio"},
        },
        "database": {"enabled": False},
        "kubeflow": {"namespaceResources": False},
        "pipeline": {"register": False},
        "keeper": {"enabled": False},
        "work": {"size": "1Gi"},
        "networkPolicy": {
            "exchange": {"to": [{**kubeflow, "podSelector": MINIO}]},
            "database": {"to": [servers]},
        },
    }


def database(made: Outside) -> None:
    """PostgreSQL, as a hospital's own department runs it, and the Secret that says where it is."""
    image = yaml.safe_load(made.bed.coordinator.read_text("utf-8"))["images"]["postgres"]
    password = secrets.token_hex(12)
    variables = {
        "POSTGRES_USER": "mlflow",
        "POSTGRES_DB": "mlflow",
        "POSTGRES_PASSWORD_FILE": "/login/password",
    }
    variables |= {"PGDATA": "/tmp/data", "POSTGRES_INITDB_ARGS": "--auth-host=scram-sha-256"}
    container = {
        "name": "postgres",
        "image": image,
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "readinessProbe": {"exec": {"command": ["pg_isready", "-U", "mlflow", "-h", "127.0.0.1"]}},
        "volumeMounts": [{"name": "login", "mountPath": "/login"}],
    }
    there = {"name": "database", "namespace": made.there, "labels": {"app": "database"}}
    volume = {"name": "login", "secret": {"secretName": "login"}}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container], "volumes": [volume]}
    service = {"selector": {"app": "database"}, "ports": [{"port": 5432}]}
    uri = f"postgresql://mlflow:{password}@database.{made.there}:5432/mlflow"
    apply(
        _secret(made.there, "login", password=password),
        _secret(made.here, "wardround-mlflow-db", uri=uri),
        {"apiVersion": "v1", "kind": "Pod", "metadata": there, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": there, "spec": service},
    )
    kubectl("-n", made.there, "wait", "--for=condition=Ready", "pod/database", "--timeout=120s")


def _secret(namespace: str, name: str, **content: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": content}


def test_no_server_of_ones_own_is_made(outside: Outside) -> None:
    assert get(outside.here, "statefulsets")["items"] == []
    claims = {item["metadata"]["name"] for item in get(outside.here, "persistentvolumeclaims")["items"]}
    assert claims == {"wardround-work"}


def test_a_hospitals_login_writes_its_own_bucket_there_and_no_other(outside: Outside) -> None:
    layout = Layout(outside.here)
    login = json.loads(secret(outside.here, "wardround-credential-alder")["s3.json"])
    client = outside.client(login["access_key"], login["secret_key"])
    assert list(client.list_objects(bucket_name=layout.site("alder"))) == []
    for bucket in (layout.site("birch"), layout.coordinator):
        with pytest.raises(S3Error, match="AccessDenied"):
            list(client.list_objects(bucket_name=bucket))


def test_mlflow_keeps_its_entries_in_that_database_and_answers(outside: Outside) -> None:
    assert int(outside.sql("select count(*) from experiments")) >= 1
    (pod,) = get(outside.here, "pods", "-l", "app.kubernetes.io/component=mlflow")["items"]
    assert all(status["ready"] for status in pod["status"]["containerStatuses"])


def test_helm_test_reaches_the_exchange_with_the_coordinators_login(outside: Outside) -> None:
    words = ("--filter", "name=wardround-coordinator-test-exchange", "--timeout", "3m")
    helm("--namespace", outside.here, "test", "wardround", *words)
