"""Who may do what on a real MinIO that was set up by `wardround cluster exchange`: every verb, tried.

Also that setting up can be repeated, that a rotation leaves the former key until it is retired, and that a hospital
which is no longer listed is shut out and finds its bucket when it comes back.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from memory_secrets import MemorySecrets
from minio import Minio
from minio.commonconfig import CopySource
from minio.credentials import AssumeRoleProvider, StaticProvider
from minio.deleteobjects import DeleteObject
from minio.error import MinioAdminException, S3Error
from minio.minioadmin import MinioAdmin
from minio.versioningconfig import SUSPENDED, VersioningConfig

from wardround.cluster.credentials import Credential, credential_in
from wardround.cluster.exchange import Change, set_up
from wardround.cluster.minio_server import AdminError, MinioServer
from wardround.cluster.settings import ClusterSettings
from wardround.errors import ConfigurationError

from .conftest import Backend

OWN, OTHER, SHARED, PRIVATE, MODELS = (
    "wardround-thorax-alder",
    "wardround-thorax-birch",
    "wardround-thorax",
    "wardround-thorax-coordinator",
    "mlflow-thorax",
)
ALL = (OWN, OTHER, SHARED, PRIVATE, MODELS)


@dataclass
class Federation:
    """A federation's exchange: its server, its Secrets, and ways in."""

    backend: Backend
    store: MemorySecrets
    server: MinioServer

    def settings(self, *hospitals: str) -> ClusterSettings:
        exchange = {"endpoint": self.backend.address, "artifacts_bucket": MODELS}
        return ClusterSettings.model_validate(
            {"federation": "thorax", "hospitals": hospitals, "exchange": exchange}
        )

    def set_up(self, *hospitals: str, **more: Any) -> Change:
        return set_up(self.settings(*hospitals), self.store, self.server, **more)

    def credential(self, secret: str) -> Credential:
        stored = self.store.read(secret)
        assert stored is not None
        return credential_in(stored)

    def client(self, secret: str) -> Minio:
        return self.client_of(self.credential(secret))

    def client_of(self, credential: Credential) -> Minio:
        host = urlsplit(self.backend.address).netloc
        return Minio(host, credential.access_key, credential.secret_key, secure=False, region="us-east-1")


@pytest.fixture(scope="module")
def federation(minio: Backend) -> Iterator[Federation]:
    root = Credential(
        minio.environment["WARDROUND_S3_ACCESS_KEY"], minio.environment["WARDROUND_S3_SECRET_KEY"]
    )
    server = MinioServer(minio.address, root, ca_file=None, region="us-east-1", patience_s=20)
    made = Federation(minio, MemorySecrets(), server)
    made.set_up("alder", "birch")
    for bucket, secret in (
        (OWN, "wardround-credential-alder"),
        (OTHER, "wardround-credential-birch"),
        (SHARED, "wardround-exchange"),
        (PRIVATE, "wardround-exchange"),
        (MODELS, "wardround-mlflow-s3"),
    ):
        put(made.client(secret), bucket, "runs/one/there.json")
    yield made


@pytest.fixture
def alder(federation: Federation) -> Minio:
    return federation.client("wardround-credential-alder")


def put(client: Minio, bucket: str, key: str) -> None:
    client.put_object(bucket, key, BytesIO(b"{}"), 2)


def refused(action: Callable[[], Any]) -> bool:
    """Whether the server says that this is not allowed; any other failure is raised."""
    try:
        action()
    except S3Error as error:
        if error.code != "AccessDenied":
            raise
        return True
    except MinioAdminException as error:
        assert "AccessDenied" in str(error)
        return True
    return False


# Everything that S3 lets one do with a bucket and an object, by verb.
VERBS: dict[str, Callable[[Minio, str], Any]] = {
    "list": lambda client, bucket: list(client.list_objects(bucket, recursive=True)),
    "list versions": lambda client, bucket: list(client.list_objects(bucket, include_version=True)),
    "read": lambda client, bucket: client.get_object(bucket, "runs/one/there.json").read(),
    "stat": lambda client, bucket: client.stat_object(bucket, "runs/one/there.json"),
    "write": lambda client, bucket: put(client, bucket, "runs/one/new.json"),
    "copy into": lambda client, bucket: client.copy_object(
        bucket, "runs/one/copy.json", CopySource(SHARED, "runs/one/there.json")
    ),
    "copy out of": lambda client, bucket: client.copy_object(
        OWN, "runs/one/stolen.json", CopySource(bucket, "runs/one/there.json")
    ),
    "delete": lambda client, bucket: client.remove_object(bucket, "runs/one/there.json"),
    "start a multipart upload": lambda client, bucket: client._create_multipart_upload(
        bucket, "runs/one/parts.bin", {}
    ),
    "read tags": lambda client, bucket: client.get_object_tags(bucket, "runs/one/there.json"),
    "read the policy": lambda client, bucket: client.get_bucket_policy(bucket),
    "set a policy": lambda client, bucket: client.set_bucket_policy(
        bucket, '{"Version": "2012-10-17", "Statement": []}'
    ),
    "read versioning": lambda client, bucket: client.get_bucket_versioning(bucket),
    "stop versioning": lambda client, bucket: client.set_bucket_versioning(
        bucket, VersioningConfig(SUSPENDED)
    ),
    "read notifications": lambda client, bucket: client.get_bucket_notification(bucket),
    "read the lifecycle": lambda client, bucket: client.get_bucket_lifecycle(bucket),
    "end the lifecycle": lambda client, bucket: client.delete_bucket_lifecycle(bucket),
    "delete the bucket": lambda client, bucket: client.remove_bucket(bucket),
}
# MinIO takes the right to list objects for the right to list their versions.
ALLOWED_TO_ALDER = {
    OWN: {
        "list",
        "list versions",
        "read",
        "stat",
        "write",
        "copy into",
        "copy out of",
        "start a multipart upload",
    },
    SHARED: {"list", "list versions", "read", "stat", "copy out of"},
    OTHER: set(),
    PRIVATE: set(),
    MODELS: set(),
}


@pytest.mark.parametrize("bucket", ALL)
@pytest.mark.parametrize("verb", VERBS)
def test_a_hospital_may_do_exactly_what_its_part_needs(alder: Minio, bucket: str, verb: str) -> None:
    assert refused(lambda: VERBS[verb](alder, bucket)) is (verb not in ALLOWED_TO_ALDER[bucket])


def test_a_hospital_sees_the_names_of_two_buckets(alder: Minio) -> None:
    assert {bucket.name for bucket in alder.list_buckets()} == {OWN, SHARED}


def test_a_hospital_cannot_make_a_bucket(alder: Minio) -> None:
    assert refused(lambda: alder.make_bucket("wardround-thorax-cedar", "us-east-1"))


def test_many_deletions_at_once_are_refused_each(alder: Minio) -> None:
    errors = list(alder.remove_objects(OWN, [DeleteObject("runs/one/there.json")]))
    assert [error.code for error in errors] == ["AccessDenied"]
    assert alder.get_object(OWN, "runs/one/there.json").read() == b"{}"


def test_what_is_overwritten_without_the_condition_is_kept(federation: Federation, alder: Minio) -> None:
    put(alder, OWN, "runs/one/twice.json")
    alder.put_object(OWN, "runs/one/twice.json", BytesIO(b"other"), 5)
    root = federation.server._s3
    versions = root.list_objects(OWN, prefix="runs/one/twice.json", include_version=True)
    assert sorted(each.size for each in versions) == [2, 5]


def test_the_coordinator_reads_a_hospitals_bucket_and_cannot_write_it(federation: Federation) -> None:
    coordinator = federation.client("wardround-exchange")
    allowed = {"list", "list versions", "read", "stat"}
    for verb in VERBS:
        if verb not in ("copy out of",):  # it may not write there, which this verb would
            assert refused(lambda verb=verb: VERBS[verb](coordinator, OTHER)) is (verb not in allowed)
    for bucket in (SHARED, PRIVATE):
        assert refused(lambda bucket=bucket: VERBS["delete"](coordinator, bucket))
        assert not refused(lambda bucket=bucket: VERBS["write"](coordinator, bucket))
    assert refused(lambda: VERBS["read"](coordinator, MODELS))


def test_mlflow_has_its_own_bucket_and_no_other(federation: Federation) -> None:
    mlflow = federation.client("wardround-mlflow-s3")
    put(mlflow, MODELS, "1/model.bin")
    mlflow.remove_object(MODELS, "1/model.bin")
    for bucket in (OWN, OTHER, SHARED, PRIVATE):
        assert all(
            refused(lambda b=bucket, v=verb: VERBS[v](mlflow, b)) for verb in ("list", "read", "write")
        )
    assert refused(lambda: VERBS["delete the bucket"](mlflow, MODELS))


@pytest.mark.parametrize("bucket, heard", [(SHARED, True), (OTHER, False), (PRIVATE, False)])
def test_a_hospital_is_told_of_new_objects_only_where_it_reads(
    federation: Federation, bucket: str, heard: bool
) -> None:
    from pydantic import SecretStr

    from wardround.exchange.s3 import S3Exchange
    from wardround.exchange.settings import S3Settings

    own = federation.credential("wardround-credential-alder")
    exchange = S3Exchange(
        S3Settings(
            endpoint=federation.backend.address,
            access_key=own.access_key,
            secret_key=SecretStr(own.secret_key),
        )
    )
    answer = exchange.store(bucket)._listen()
    assert (answer is not None) is heard
    if answer is not None:
        answer.close()
    exchange.close()


def administrator(federation: Federation, credential: Credential) -> MinioAdmin:
    keys = StaticProvider(credential.access_key, credential.secret_key)
    return MinioAdmin(endpoint=urlsplit(federation.backend.address).netloc, credentials=keys, secure=False)


@pytest.mark.parametrize(
    "secret", ["wardround-credential-alder", "wardround-exchange", "wardround-mlflow-s3"]
)
def test_nobody_administers_not_even_their_own_keys(federation: Federation, secret: str) -> None:
    own = federation.credential(secret)
    admin = administrator(federation, own)
    assert refused(lambda: admin.user_add(own.access_key, "a-secret-of-my-own"))
    assert refused(
        lambda: admin.add_service_account(access_key="another-key", secret_key="a-secret-of-my-own")
    )
    assert refused(lambda: admin.user_list())
    assert refused(lambda: admin.policy_list())
    assert refused(lambda: admin.user_info("alder"))
    assert refused(lambda: admin.info())


def test_a_passing_credential_may_do_no_more_and_ends_with_its_owner(federation: Federation) -> None:
    federation.set_up("alder", "birch", "cedar")
    own = federation.credential("wardround-credential-cedar")
    passing = AssumeRoleProvider(
        sts_endpoint=federation.backend.address, access_key=own.access_key, secret_key=own.secret_key
    )
    host = urlsplit(federation.backend.address).netloc
    client = Minio(host, credentials=passing, secure=False, region="us-east-1")
    assert refused(lambda: VERBS["read"](client, OTHER))
    assert not refused(lambda: VERBS["read"](client, SHARED))
    federation.set_up("alder", "birch")
    with pytest.raises(S3Error):
        VERBS["read"](client, SHARED)


def test_a_second_run_changes_nothing(federation: Federation) -> None:
    before, writes = federation.credential("wardround-credential-alder"), federation.store.writes
    change = federation.set_up("alder", "birch")
    assert (change.buckets_made, change.removed, change.former, change.rotated) == ((), (), (), ())
    assert federation.credential("wardround-credential-alder") == before
    assert federation.store.writes == writes


def test_a_rotated_key_works_beside_the_former_one_until_that_is_retired(federation: Federation) -> None:
    former = federation.credential("wardround-credential-birch")
    change = federation.set_up("alder", "birch", rotate=["birch"])
    fresh = federation.credential("wardround-credential-birch")
    assert change.rotated == ("birch",) and change.former == (former.access_key,)
    for credential in (former, fresh):
        assert not refused(lambda c=credential: VERBS["read"](federation.client_of(c), OTHER))
    assert federation.set_up("alder", "birch").former == (former.access_key,)
    retired = federation.set_up("alder", "birch", retire=["birch"])
    assert (retired.removed, retired.former) == ((former.access_key,), ())
    with pytest.raises(S3Error, match=r"InvalidAccessKeyId|Access Key"):
        VERBS["read"](federation.client_of(former), OTHER)
    assert not refused(lambda: VERBS["read"](federation.client_of(fresh), OTHER))


def test_a_rotation_that_broke_off_before_the_server_heard_of_it_is_finished(federation: Federation) -> None:
    from wardround.cluster.credentials import renew_credential
    from wardround.cluster.identities import identities

    (birch,) = (each for each in identities(federation.settings("alder", "birch")) if each.name == "birch")
    fresh = renew_credential(birch, federation.store)
    with pytest.raises(S3Error):
        VERBS["read"](federation.client_of(fresh), OTHER)
    federation.set_up("alder", "birch", retire=["all"])
    assert not refused(lambda: VERBS["read"](federation.client_of(fresh), OTHER))


def test_a_hospital_that_is_not_listed_is_shut_out_and_finds_its_bucket_when_it_is_again(
    federation: Federation,
) -> None:
    own = federation.credential("wardround-credential-birch")
    assert own.access_key in federation.set_up("alder").removed
    with pytest.raises(S3Error):
        VERBS["read"](federation.client_of(own), OTHER)
    coordinator = federation.client("wardround-exchange")
    assert refused(lambda: VERBS["read"](coordinator, OTHER))
    assert federation.set_up("alder", "birch").buckets_made == ()
    assert not refused(lambda: VERBS["read"](federation.client_of(own), OTHER))


def test_users_and_policies_of_others_on_the_same_server_stay(federation: Federation) -> None:
    other = Credential("thorax-2-user", "a-secret-of-another")
    reads = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::theirs/*"]}
    federation.server.set_policy("wardround.thorax-2.alder", {"Version": "2012-10-17", "Statement": [reads]})
    federation.server.set_user(other, "wardround.thorax-2.alder")
    federation.set_up("alder", "birch", retire=["all"])
    assert other.access_key in {user.access_key for user in federation.server.users()}


def test_a_name_that_is_nobodys_is_refused_before_anything_is_done(federation: Federation) -> None:
    writes = federation.store.writes
    with pytest.raises(ConfigurationError, match="no such identity"):
        federation.set_up("alder", "birch", rotate=["brich"])
    assert federation.store.writes == writes


def test_another_administrators_password_is_an_error_without_it(federation: Federation) -> None:
    wrong = Credential("root", "hunter2-hunter2")
    server = MinioServer(federation.backend.address, wrong, ca_file=None, region="us-east-1", patience_s=0)
    with pytest.raises(AdminError) as caught:
        set_up(federation.settings("alder"), federation.store, server)
    assert "hunter2" not in str(caught.value) and caught.value.__cause__ is None
