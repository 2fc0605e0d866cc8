"""The embedded server: hospitals are kept apart, nothing is lost, nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from minio import Minio
from minio.commonconfig import ComposeSource, CopySource
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

from wardround.errors import ConfigurationError
from wardround.exchange.errors import DeniedError, UnavailableError
from wardround.exchange.layout import Layout
from wardround.exchange.s3 import S3Exchange
from wardround.exchange.settings import from_environment
from wardround.local.seaweed import Identity, SeaweedServer, federation_identities

# Names of which one is the start of another, in case the server compares starts only.
LAYOUT = Layout("x")
SITES = ["a", "a-b", "b"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("federation")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[SeaweedServer]:
    identities = federation_identities(LAYOUT, SITES, folder / "identities")
    with SeaweedServer(folder / "server", identities.values()) as server:
        coordinator = _exchange(server, folder, "coordinator")
        for bucket in _buckets():
            coordinator.create_bucket(bucket)
            coordinator.store(bucket).put_new("there", b"content")
        yield server


def _buckets() -> list[str]:
    return [LAYOUT.federation, LAYOUT.coordinator, *(LAYOUT.site(site) for site in SITES)]


def _exchange(server: SeaweedServer, folder: Path, name: str) -> S3Exchange:
    variables = {"WARDROUND_S3_CREDENTIALS_FILE": str(folder / "identities" / f"{name}.json")}
    return S3Exchange(from_environment(server.endpoint, variables))


def _client(server: SeaweedServer, folder: Path, name: str) -> Minio:
    settings = from_environment(
        server.endpoint, {"WARDROUND_S3_CREDENTIALS_FILE": str(folder / "identities" / f"{name}.json")}
    )
    secret = settings.secret_key.get_secret_value()
    return Minio(settings.host, settings.access_key, secret_key=secret, secure=False, region=settings.region)


def test_a_site_reads_the_federation_and_reads_and_writes_its_own_bucket(
    server: SeaweedServer, folder: Path
) -> None:
    site = _exchange(server, folder, "a")
    shared, own = site.store(LAYOUT.federation), site.store(LAYOUT.site("a"))
    assert shared.get("there", limit=9) == b"content"
    assert not shared.exists("nothing")
    assert list(shared.list("")) == ["there"]
    own.put_new("mine", b"1")
    assert own.get("mine", limit=1) == b"1"
    assert list(own.list("")) == ["mine", "there"]


@pytest.mark.parametrize("bucket", [LAYOUT.coordinator, LAYOUT.site("a-b"), LAYOUT.site("b")])
def test_a_site_can_do_nothing_with_the_buckets_of_others(
    server: SeaweedServer, folder: Path, bucket: str
) -> None:
    store = _exchange(server, folder, "a").store(bucket)
    for use in (
        lambda: store.get("there", limit=9),
        lambda: store.size("there"),
        lambda: store.exists("nothing"),
        lambda: list(store.list("")),
        lambda: store.put_new("mine", b"1"),
    ):
        with pytest.raises(DeniedError):
            use()
    _assert_every_other_verb_is_denied(server, folder, bucket)
    with pytest.raises(S3Error, match="AccessDenied"):
        _client(server, folder, "a").copy_object(LAYOUT.site("a"), "stolen", CopySource(bucket, "there"))


def test_a_site_cannot_change_the_bucket_of_the_federation(server: SeaweedServer, folder: Path) -> None:
    with pytest.raises(DeniedError):
        _exchange(server, folder, "a").store(LAYOUT.federation).put_new("mine", b"1")
    _assert_every_other_verb_is_denied(server, folder, LAYOUT.federation)


def _assert_every_other_verb_is_denied(server: SeaweedServer, folder: Path, bucket: str) -> None:
    client = _client(server, folder, "a")
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    everything = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    own = LAYOUT.site("a")
    for use in (
        lambda: client.remove_object(bucket, "there"),
        lambda: client.remove_bucket(bucket),
        lambda: client.set_bucket_policy(bucket, everything),
        lambda: client.copy_object(bucket, "pushed", CopySource(own, "there")),
        lambda: client.compose_object(bucket, "pushed", [ComposeSource(own, "there")]),
        lambda: client.delete_object_tags(bucket, "there"),
        lambda: client.enable_object_legal_hold(bucket, "there"),
    ):
        with pytest.raises(S3Error, match=r"AccessDenied|Access Denied"):
            use()
    refused = list(client.remove_objects(bucket, [DeleteObject("there")]))
    assert [error.code for error in refused] == ["AccessDenied"]
    coordinator = _exchange(server, folder, "coordinator").store(bucket)
    assert list(coordinator.list("")) == ["there"]
    assert coordinator.get("there", limit=9) == b"content"


def test_who_may_make_no_bucket_is_content_with_one_that_was_made_for_it(
    server: SeaweedServer, folder: Path
) -> None:
    _exchange(server, folder, "a").create_bucket(LAYOUT.site("a"))
    with pytest.raises(DeniedError):
        _exchange(server, folder, "a").create_bucket(LAYOUT.site("b"))


def test_a_site_cannot_make_buckets_nor_see_those_of_others(server: SeaweedServer, folder: Path) -> None:
    with pytest.raises(DeniedError):
        _exchange(server, folder, "a").create_bucket("wardround-mine")
    seen = {bucket.name for bucket in _client(server, folder, "a").list_buckets()}
    assert seen <= {LAYOUT.federation, LAYOUT.site("a")}


def test_somebody_without_credentials_can_do_nothing(server: SeaweedServer) -> None:
    client = Minio(server.endpoint.removeprefix("http://"), secure=False, region="us-east-1")
    for use in (
        lambda: client.get_object(LAYOUT.federation, "there"),
        lambda: list(client.list_objects(LAYOUT.federation)),
        lambda: client.remove_object(LAYOUT.federation, "there"),
    ):
        with pytest.raises(S3Error, match=r"AccessDenied|Access Denied"):
            use()


def test_it_listens_on_this_machine_only_and_sends_no_telemetry(server: SeaweedServer) -> None:
    process = psutil.Process(server.pid)
    listening = [each for each in process.net_connections() if each.status == psutil.CONN_LISTEN]
    assert {each.laddr.ip for each in listening} == {"127.0.0.1"}
    assert "-master.telemetry=false" in process.cmdline()
    assert process.children(recursive=True) == []


def test_no_secret_stands_in_its_arguments_or_in_a_file_that_others_may_read(
    server: SeaweedServer, folder: Path
) -> None:
    identities = federation_identities(LAYOUT, SITES, folder / "identities")
    arguments = " ".join(psutil.Process(server.pid).cmdline())
    for identity in identities.values():
        assert identity.secret_key not in arguments
        assert identity.secret_key not in repr(identity)
        assert identity.secret_key not in server.log.read_text()
    for path in (folder / "server/identities.json", *(folder / "identities").iterdir()):
        assert path.stat().st_mode & 0o077 == 0


def test_what_was_written_is_there_after_a_kill_and_a_start_on_other_ports(tmp_path: Path) -> None:
    identities = federation_identities(LAYOUT, ["a"], tmp_path / "identities")
    data = os.urandom(9_000_000)
    with SeaweedServer(tmp_path / "server", identities.values()) as server:
        exchange = _exchange(server, tmp_path, "coordinator")
        exchange.create_bucket(LAYOUT.federation)
        for number in range(50):
            exchange.store(LAYOUT.federation).put_new(f"small/{number}", b"%d" % number)
        exchange.store(LAYOUT.federation).put_new("large", data)
        first = server.endpoint
        os.kill(server.pid or 0, signal.SIGKILL)
        with pytest.raises(UnavailableError):
            exchange.store(LAYOUT.federation).get("large", limit=1)
    kept = federation_identities(LAYOUT, ["a"], tmp_path / "identities")
    assert kept == identities
    with SeaweedServer(tmp_path / "server", kept.values()) as server:
        assert server.endpoint != first
        store = _exchange(server, tmp_path, "coordinator").store(LAYOUT.federation)
        assert len(list(store.list("small/"))) == 50
        assert store.get("small/49", limit=2) == b"49"
        assert store.get("large", limit=len(data)) == data


OWNER = """
import sys, time
from pathlib import Path
from wardround.local.seaweed import Identity, SeaweedServer
server = SeaweedServer(Path(sys.argv[1]), [Identity.generate("admin", ["Admin"])])
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""


def _sockets(ports: Path) -> list[Path]:
    numbers = json.loads(ports.read_text()).values()
    return [path for number in numbers for path in Path("/tmp").glob(f"seaweedfs-*-{number}.sock")]


def test_it_dies_with_its_owner_and_the_next_start_cleans_up(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    server = psutil.Process(int(owner.stdout.readline()))
    assert "weed" in server.name()
    owner.kill()
    owner.communicate()
    assert psutil.wait_procs([server], timeout=10)[1] == []
    left = _sockets(tmp_path / "ports.json")
    assert left
    with SeaweedServer(tmp_path, [Identity.generate("admin", ["Admin"])]):
        assert not any(path.exists() for path in left)


def test_a_stop_leaves_no_process_and_no_socket_file(tmp_path: Path) -> None:
    server = SeaweedServer(tmp_path, federation_identities(LAYOUT, [], tmp_path / "i").values())
    server.start()
    process = psutil.Process(server.pid)
    server.stop()
    server.stop()
    assert not process.is_running()
    assert _sockets(tmp_path / "ports.json") == []


def test_a_server_that_cannot_start_says_where_the_reason_stands(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/filerldb2").write_text("not a folder")
    with pytest.raises(ConfigurationError, match=r"seaweed\.log") as refusal:
        SeaweedServer(tmp_path, []).start()
    assert refusal.value.code == "s3-server"


def test_damaged_kept_credentials_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(ConfigurationError, match=r"a\.json"):
        federation_identities(LAYOUT, ["a"], tmp_path)
