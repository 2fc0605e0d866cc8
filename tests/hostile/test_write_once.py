"""Whoever may write into a bucket writes again, leaves the condition out, deletes: readers get what was first."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3
from minio import Minio
from minio.commonconfig import COMPLIANCE, ENABLED, CopySource, Filter, Tags
from minio.credentials.providers import StaticProvider
from minio.datatypes import PostPolicy
from minio.error import S3Error
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule
from minio.objectlockconfig import DAYS, ObjectLockConfig
from minio.versioningconfig import SUSPENDED, VersioningConfig
from pydantic import SecretStr
from tests.conformance.conftest import Backend, minio

from wardround.errors import RefusedError
from wardround.exchange import first_version
from wardround.exchange.errors import ConflictError, ExistsError, MissingError
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.exchange.s3 import S3Exchange, S3Store
from wardround.exchange.settings import S3Settings
from wardround.exchange.store import put_idempotent, upload_idempotent
from wardround.local.seaweed import SeaweedServer, federation_identities

__all__ = ["minio"]
LAYOUT = Layout("thorax")
OWN, OTHER = LAYOUT.site("alder"), LAYOUT.site("birch")
FIRST, SECOND = b"what was first", b"what came later, and is longer"


@dataclass(frozen=True)
class Ward:
    """A federation's server as its setting up leaves it, and the keys of its parties."""

    kind: str
    address: str
    keys: dict[str, tuple[str, str]]

    def client(self, name: str) -> Minio:
        """The server as a party sees it that uses no code of ours."""
        access, secret = self.keys[name]
        return Minio(urlsplit(self.address).netloc, access, secret, secure=False, region="us-east-1")

    def exchange(self, name: str) -> S3Exchange:
        access, secret = self.keys[name]
        return S3Exchange(S3Settings(endpoint=self.address, access_key=access, secret_key=SecretStr(secret)))

    def store(self, name: str, bucket: str = OWN) -> S3Store:
        return self.exchange(name).store(bucket)


@pytest.fixture(scope="module")
def seaweed_ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    folder = tmp_path_factory.mktemp("ward")
    identities = federation_identities(LAYOUT, ["alder", "birch"], folder / "identities")
    with SeaweedServer(folder / "server", identities.values()) as server:
        keys = {name: (each.access_key, each.secret_key) for name, each in identities.items()}
        ward = Ward("seaweedfs", server.endpoint, keys)
        exchange = ward.exchange(COORDINATOR)
        for bucket in (LAYOUT.federation, LAYOUT.coordinator, OWN, OTHER):
            exchange.create_bucket(bucket)
        yield ward


@pytest.fixture(scope="module")
def minio_ward(minio: Backend) -> Ward:
    from memory_secrets import MemorySecrets

    from wardround.cluster.credentials import Credential, credential_in
    from wardround.cluster.exchange import set_up
    from wardround.cluster.minio_server import MinioServer
    from wardround.cluster.settings import ClusterSettings

    root = Credential(
        minio.environment["WARDROUND_S3_ACCESS_KEY"], minio.environment["WARDROUND_S3_SECRET_KEY"]
    )
    server = MinioServer(minio.address, root, ca_file=None, region="us-east-1", patience_s=20)
    exchange = {"endpoint": minio.address, "artifacts_bucket": "mlflow-thorax"}
    settings = ClusterSettings.model_validate(
        {"federation": "thorax", "hospitals": ("alder", "birch"), "exchange": exchange}
    )
    secrets = MemorySecrets()
    set_up(settings, secrets, server)
    names = {COORDINATOR: "wardround-exchange", "alder": "wardround-credential-alder"}
    found = {name: credential_in(secrets.read(secret)) for name, secret in names.items()}  # type: ignore[arg-type]
    return Ward("minio", minio.address, {name: (c.access_key, c.secret_key) for name, c in found.items()})


@pytest.fixture(params=["seaweed_ward", "minio_ward"])
def ward(request: pytest.FixtureRequest) -> Ward:
    """The demo's server and the charts' one."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    name = "".join(c if c.isalnum() else "-" for c in request.node.name.removeprefix("test_"))
    return f"runs/r1/rounds/000001/{name[:90].strip('-')}.json"


def put(client: Minio, key: str, data: bytes = SECOND) -> None:
    client.put_object(OWN, key, BytesIO(data), len(data))


def by_presigned(client: Minio, key: str) -> None:
    answer = urllib3.request("PUT", client.presigned_put_object(OWN, key), body=SECOND)
    assert answer.status == 200, answer.data


def by_multipart(client: Minio, key: str) -> None:
    client.put_object(OWN, key, BytesIO(SECOND * 250_000), -1, part_size=5 << 20)


def by_copy(client: Minio, key: str) -> None:
    put(client, f"{key}.source")
    client.copy_object(OWN, key, CopySource(OWN, f"{key}.source"))


def by_form(client: Minio, key: str) -> None:
    from datetime import UTC, datetime, timedelta

    policy = PostPolicy(OWN, datetime.now(UTC) + timedelta(minutes=5))
    policy.add_equals_condition("key", key)
    fields = client.presigned_post_policy(policy) | {"key": key, "file": ("x", SECOND)}
    address = f"http://{client._base_url._url.netloc}/{OWN}"  # it has no public accessor
    answer = urllib3.request("POST", address, fields=fields)
    assert answer.status in (200, 204), answer.data


WAYS: dict[str, Callable[[Minio, str], None]] = {
    "plain": put,
    "presigned": by_presigned,
    "multipart": by_multipart,
    "copy": by_copy,
    "form": by_form,
}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_written_again_by_any_way_is_never_read(
    ward: Ward, key: str, way: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ward.store("alder").put_new(key, FIRST)
    for _ in range(2):
        WAYS[way](ward.client("alder"), key)
    for reader in (ward.store(COORDINATOR), ward.store("alder")):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "wardround.exchange.first_version"):
            assert reader.get(key, limit=100) == FIRST
            reader.download(key, tmp_path / reader.name, limit=100)
            assert reader.exists(key)
        assert (tmp_path / reader.name).read_bytes() == FIRST
        assert reader.rewritten.keys[key].written == 3
        assert [
            record.message
            for record in caplog.records
            if "[rewritten]" in record.message and key in record.message
        ]
        assert len(caplog.records) == 1  # told once


def test_what_its_writer_deletes_is_still_read(ward: Ward, key: str, tmp_path: Path) -> None:
    ward.store("alder").put_new(key, FIRST)
    client = ward.client("alder")
    with pytest.raises(S3Error, match=r"denied|Access"):
        client.remove_object(OWN, key)
    assert ward.store(COORDINATOR).get(key, limit=100) == FIRST


@pytest.mark.parametrize("kind", ["minio", "seaweedfs"])
def test_a_delete_marker_hides_nothing_where_the_server_says_that_there_is_one(
    kind: str, key: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """By the server's own administrator, whom no policy binds. SeaweedFS does not say that a key was deleted."""
    ward: Ward = request.getfixturevalue("minio_ward" if kind == "minio" else "seaweed_ward")
    bucket, client = f"wardround-marked-{ward.kind}", ward.client(COORDINATOR)
    if ward.kind == "minio":
        minio: Backend = request.getfixturevalue("minio")
        access, secret = (
            minio.environment["WARDROUND_S3_ACCESS_KEY"],
            minio.environment["WARDROUND_S3_SECRET_KEY"],
        )
        client = Minio(urlsplit(ward.address).netloc, access, secret, secure=False, region="us-east-1")
    client.make_bucket(bucket)
    client.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    keys = StaticProvider(*ward.keys[COORDINATOR]) if ward.kind == "seaweedfs" else client._provider
    found = keys.retrieve()
    settings = S3Settings(
        endpoint=ward.address, access_key=found.access_key, secret_key=SecretStr(found.secret_key)
    )
    store = S3Exchange(settings).store(bucket)
    store.put_new(key, FIRST)
    client.remove_object(bucket, key)
    with pytest.raises(S3Error):
        client.get_object(bucket, key)
    assert store.exists(key) is (kind == "minio")
    client.put_object(bucket, key, BytesIO(SECOND), len(SECOND))
    assert store.get(key, limit=100) == FIRST
    assert (store.rewritten.keys[key].written, store.rewritten.keys[key].deleted) == (2, 1)
    client.remove_object(bucket, key)
    if kind == "seaweedfs":
        return
    assert store.get(key, limit=100) == FIRST
    store.download(key, tmp_path / "copy", limit=100)
    assert (tmp_path / "copy").read_bytes() == FIRST
    assert (store.rewritten.keys[key].written, store.rewritten.keys[key].deleted) == (2, 2)


def test_a_key_that_never_was_is_missing_and_so_is_one_whose_neighbour_was_written_twice(
    ward: Ward, key: str
) -> None:
    client, reader = ward.client("alder"), ward.store(COORDINATOR)
    for _ in range(2):
        put(client, f"{key}x")
    assert not reader.exists(key)
    with pytest.raises(MissingError):
        reader.get(key, limit=100)
    ward.store("alder").put_new(key, FIRST)
    assert reader.get(key, limit=100) == FIRST
    assert key not in reader.rewritten.keys


def test_a_writer_that_comes_again_finds_its_own_bytes_whatever_somebody_wrote_over_them(
    ward: Ward, key: str, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_bytes(FIRST)
    writer = ward.store("alder")
    put_idempotent(writer, key, FIRST)
    put(ward.client("alder"), key)
    put_idempotent(writer, key, FIRST)
    upload_idempotent(writer, key, tmp_path / "mine")
    with pytest.raises(ConflictError):
        put_idempotent(writer, key, SECOND)
    with pytest.raises(ExistsError):
        writer.put_new(key, FIRST)


def test_a_thousand_versions_of_a_key_cost_one_listing_and_then_the_object(
    ward: Ward, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_version, "MOST_VERSIONS", 5)
    for _ in range(6):
        put(ward.client("alder"), key)
    with pytest.raises(RefusedError) as refusal:
        ward.store(COORDINATOR).get(key, limit=100)
    assert refusal.value.code == "flooded"


def requests_of(store: S3Store, action: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the server meanwhile."""
    asked, pool = [], store._connection.pool
    send = pool.urlopen

    def count(method: str, url: str, *args: Any, **more: Any) -> Any:
        asked.append(f"{method} {'versions' if 'versions=' in url else 'object'}")
        return send(method, url, *args, **more)

    monkeypatch.setattr(pool, "urlopen", count)
    action()
    return asked


def test_reading_costs_one_small_request_more_and_looking_none(
    ward: Ward, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.store("alder").put_new(key, FIRST)
    reader = ward.store(COORDINATOR)
    asked = requests_of(reader, lambda: reader.get(key, limit=100), monkeypatch)
    assert asked == ["GET object", "GET versions"]
    other = ward.store(COORDINATOR)
    assert requests_of(other, lambda: other.exists(key), monkeypatch) == ["HEAD object"]
    third = ward.store(COORDINATOR)
    third._bucket_seen = True
    assert requests_of(third, lambda: third.exists(f"{key}.no"), monkeypatch) == ["HEAD object"]


def test_a_bucket_without_versions_costs_nothing_more(
    seaweed_ward: Ward, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seaweed_ward.client(COORDINATOR).make_bucket("wardround-without")
    store = seaweed_ward.store(COORDINATOR, "wardround-without")
    store.put_new(key, FIRST)
    assert requests_of(store, lambda: store.get(key, limit=100), monkeypatch) == ["GET object"]


def version(client: Minio, key: str) -> str | None:
    return client.stat_object(OWN, key).version_id


DENY_NOTHING = '{"Version": "2012-10-17", "Statement": []}'
TRICKS: dict[str, Callable[[Minio, str], Any]] = {
    "delete": lambda client, key: client.remove_object(OWN, key),
    "delete the first version": lambda client, key: client.remove_object(
        OWN, key, version_id=version(client, key)
    ),
    "stop versions": lambda client, key: client.set_bucket_versioning(OWN, VersioningConfig(SUSPENDED)),
    "let everything expire": lambda client, key: client.set_bucket_lifecycle(
        OWN, LifecycleConfig([Rule(ENABLED, rule_filter=Filter(prefix=""), expiration=Expiration(days=1))])
    ),
    "change the policy": lambda client, key: client.set_bucket_policy(OWN, DENY_NOTHING),
    "remove the policy": lambda client, key: client.delete_bucket_policy(OWN),
    "lock objects": lambda client, key: client.set_object_lock_config(
        OWN, ObjectLockConfig(COMPLIANCE, 1, DAYS)
    ),
    "tag the bucket": lambda client, key: client.set_bucket_tags(OWN, Tags.new_bucket_tags()),
    "delete the bucket": lambda client, key: client.remove_bucket(OWN),
    "write to another site": lambda client, key: client.put_object(OTHER, key, BytesIO(b"x"), 1),
    "write to the federation": lambda client, key: client.put_object(
        LAYOUT.federation, key, BytesIO(b"x"), 1
    ),
    "parts to another site": lambda client, key: client._create_multipart_upload(OTHER, key, {}),
    "copy to another site": lambda client, key: client.copy_object(OTHER, key, CopySource(OWN, key)),
    "copy from another site": lambda client, key: client.copy_object(
        OWN, f"{key}.c", CopySource(OTHER, "there")
    ),
    "versions of another site": lambda client, key: list(client.list_objects(OTHER, include_version=True)),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_a_site_cannot_undo_what_keeps_the_first_version(ward: Ward, key: str, trick: str) -> None:
    ward.store("alder").put_new(key, FIRST)
    if ward.kind == "seaweedfs":
        ward.client(COORDINATOR).put_object(OTHER, "there", BytesIO(b"x"), 1)
    with pytest.raises(S3Error) as refusal:
        TRICKS[trick](ward.client("alder"), key)
    assert refusal.value.code in ("AccessDenied", "MethodNotAllowed", "InvalidBucketState", "NotImplemented")
    put(ward.client("alder"), key)
    assert ward.store(COORDINATOR).get(key, limit=100) == FIRST


@pytest.mark.parametrize("verb", ["get_presigned_url", "presigned_put_object"])
def test_an_address_that_is_signed_for_others_gives_no_more_than_its_signer_has(
    ward: Ward, key: str, verb: str
) -> None:
    client = ward.client("alder")
    method = "GET" if verb == "get_presigned_url" else "PUT"
    address = client.get_presigned_url(method, OTHER, "there")
    assert urllib3.request(method, address, body=b"x" if method == "PUT" else None).status == 403
    assert urllib3.request("DELETE", client.get_presigned_url("DELETE", OWN, key)).status == 403
