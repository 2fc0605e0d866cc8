"""A namespace as a cluster's administrator hands it over: with a bucket and a user for Kubeflow's artifacts."""

import secrets as random

from minio import Minio
from minio.credentials import StaticProvider
from minio.error import MinioAdminException
from minio.minioadmin import MinioAdmin
from tests.cluster.bed import Bed
from tests.cluster.shell import apply, kubectl, secret

CREDENTIAL = "mlpipeline-minio-artifact"


def hand_over(bed: Bed, namespace: str) -> None:
    """Makes the namespace, its bucket and the Secret with the bucket's credential; can be repeated."""
    labels = {
        "pod-security.kubernetes.io/enforce": "baseline",  # an init container of KFP's own breaks `restricted`
        "pod-security.kubernetes.io/warn": "restricted",
    }
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
    password = _password(namespace)
    apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": CREDENTIAL, "namespace": namespace},
            "stringData": {"accesskey": namespace, "secretkey": password},
        }
    )
    _make_bucket(bed, namespace, password)


def store(bed: Bed, namespace: str) -> Minio:
    """The artifacts' store, as the namespace sees it."""
    found = secret(namespace, CREDENTIAL)
    return Minio(
        endpoint=bed.artifacts,
        access_key=found["accesskey"].decode(),
        secret_key=found["secretkey"].decode(),
        secure=False,
    )


def remove(namespace: str) -> None:
    """Deletes a namespace with all that is in it."""
    kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=true", seconds=300)


def _password(namespace: str) -> str:
    kept = kubectl("-n", namespace, "get", "secret", CREDENTIAL, "-o", "json", check=False)
    return secret(namespace, CREDENTIAL)["secretkey"].decode() if kept else random.token_hex(16)


def _make_bucket(bed: Bed, name: str, password: str) -> None:
    root = (bed.artifacts_user, bed.artifacts_password)
    client = Minio(endpoint=bed.artifacts, access_key=root[0], secret_key=root[1], secure=False)
    if not client.bucket_exists(bucket_name=name):
        client.make_bucket(bucket_name=name)
    admin = MinioAdmin(endpoint=bed.artifacts, credentials=StaticProvider(*root), secure=False)
    resources = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    statement = {"Effect": "Allow", "Action": ["s3:*"], "Resource": resources}
    admin.policy_add(policy_name=name, policy={"Version": "2012-10-17", "Statement": [statement]})
    admin.user_add(access_key=name, secret_key=password)
    try:
        admin.attach_policy(policies=[name], user=name)
    except MinioAdminException as error:
        if "AlreadyApplied" not in str(error):
            raise
