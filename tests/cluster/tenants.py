"""A namespace as a cluster's administrator hands it over: with a bucket and a user for Kubeflow's artifacts."""

from k8s.demo.artifacts import CREDENTIAL, Store
from k8s.demo.federation import hand_namespace_over
from minio import Minio
from tests.cluster.bed import Bed
from tests.cluster.shell import secret


def hand_over(bed: Bed, namespace: str) -> None:
    """Makes the namespace, its bucket and the Secret with the bucket's credential; can be repeated."""
    administrator = Store(bed.artifacts, bed.artifacts_user, bed.artifacts_password, shared=False)
    hand_namespace_over(administrator, namespace, {})


def store(bed: Bed, namespace: str) -> Minio:
    """The artifacts' store, as the namespace sees it."""
    found = secret(namespace, CREDENTIAL)
    user, password = found["accesskey"].decode(), found["secretkey"].decode()
    return Store(bed.artifacts, user, password, shared=False).client()
