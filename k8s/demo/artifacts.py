"""Where Kubeflow keeps a namespace's artifacts and logs: a bucket and, where it can, a user of its own at its store."""

import json
import secrets as random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from minio import Minio
from minio.credentials.providers import StaticProvider
from minio.deleteobjects import DeleteObject
from minio.error import MinioAdminException
from minio.minioadmin import MinioAdmin

from k8s.demo.shell import DemoError, apply, forward, say, secret

CREDENTIAL = "mlpipeline-minio-artifact"
_WRONG_LOGIN = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")


@dataclass(frozen=True)
class Store:
    """Kubeflow's store, as its administrator sees it. `shared`: namespaces get the administrator's own login."""

    endpoint: str
    user: str
    password: str
    shared: bool

    def client(self) -> Minio:
        """For buckets and objects."""
        return Minio(endpoint=self.endpoint, access_key=self.user, secret_key=self.password, secure=False)

    def admin(self) -> MinioAdmin:
        """For users and policies."""
        login = StaticProvider(self.user, self.password)
        return MinioAdmin(endpoint=self.endpoint, credentials=login, secure=False)


@contextmanager
def artifact_store(login: str | None, *, shared: bool) -> Iterator[Store]:
    """The store in namespace kubeflow. `login`: USER:PASSWORD; else that of Kubeflow's own Secret. Raises DemoError.

    It is shared if it makes no users, or if `shared` says so.
    """
    if login is not None:
        user, _, password = login.partition(":")
    elif (found := secret("kubeflow", CREDENTIAL)) is not None:
        user, password = found["accesskey"], found["secretkey"]
    else:
        raise DemoError(
            f"namespace kubeflow has no Secret {CREDENTIAL}: say who administers Kubeflow's store, in "
            "WARDROUND_DEMO_ARTIFACTS_ROOT=USER:PASSWORD"
        )
    with forward("kubeflow", "minio-service", 9000) as port:
        store = Store(f"localhost:{port}", user, password, shared)
        if not shared and not makes_users(store):
            say(
                "Kubeflow's store makes no users: all namespaces get its own login, and can read each other's artifacts"
            )
            store = replace(store, shared=True)
        yield store


def makes_users(store: Store) -> bool:
    """Whether the store has MinIO's API for administrators. Raises DemoError if it refuses this one."""
    try:
        return isinstance(json.loads(store.admin().policy_list()), dict)
    except MinioAdminException as error:
        if any(code in str(error) for code in _WRONG_LOGIN):
            raise DemoError(
                f"{store.user!r} does not administer Kubeflow's store: say who does, in "
                "WARDROUND_DEMO_ARTIFACTS_ROOT=USER:PASSWORD"
            ) from error
        return False
    except ValueError:  # something that is not MinIO answered with a page of its own
        return False


def give_bucket(store: Store, namespace: str) -> None:
    """Makes the namespace's bucket, user and Secret, or leaves them as they are."""
    kept = secret(namespace, CREDENTIAL)
    password = kept["secretkey"] if kept is not None else random.token_hex(16)
    client = store.client()
    if not client.bucket_exists(bucket_name=namespace):
        client.make_bucket(bucket_name=namespace)
    login = {"accesskey": namespace, "secretkey": password}
    if store.shared:
        login = {"accesskey": store.user, "secretkey": store.password}
    else:
        _make_user(store.admin(), namespace, password)
    metadata = {"name": CREDENTIAL, "namespace": namespace}
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": login})


def take_bucket(store: Store, namespace: str) -> None:
    """Removes the namespace's bucket with all that is in it, and its user."""
    client = store.client()
    if client.bucket_exists(bucket_name=namespace):
        every = client.list_objects(bucket_name=namespace, recursive=True)
        gone = [DeleteObject(each.object_name) for each in every]
        if errors := list(client.remove_objects(bucket_name=namespace, delete_object_list=gone)):
            raise DemoError(f"bucket {namespace}: {len(errors)} objects stay, the first: {errors[0]}")
        client.remove_bucket(bucket_name=namespace)
    if not store.shared:
        _ignoring(("NoSuchUser",), lambda: store.admin().user_remove(access_key=namespace))
        _ignoring(("NoSuchPolicy",), lambda: store.admin().policy_remove(policy_name=namespace))


def _make_user(admin: MinioAdmin, name: str, password: str) -> None:
    resources = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    statement = {"Effect": "Allow", "Action": ["s3:*"], "Resource": resources}
    admin.policy_add(policy_name=name, policy={"Version": "2012-10-17", "Statement": [statement]})
    admin.user_add(access_key=name, secret_key=password)
    _ignoring(("AlreadyApplied",), lambda: admin.attach_policy(policies=[name], user=name))


def _ignoring(codes: tuple[str, ...], call: Any) -> None:
    try:
        call()
    except MinioAdminException as error:
        if not any(code in str(error) for code in codes):
            raise
