"""Another user of the machine that the demo runs on: sees no file of its server, and no part of it does what it asks."""

import json
import os
import secrets
import shutil
import ssl
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3

from wardround.exchange.layout import COORDINATOR, Layout
from wardround.exchange.s3 import S3Exchange, S3Store
from wardround.exchange.settings import S3Settings
from wardround.exchange.store import put_idempotent
from wardround.local.seaweed import SeaweedServer, _program, federation_identities

LAYOUT = Layout("ward")
OWN = LAYOUT.site("alder")
KEY = "runs/r1/rounds/000001/update.json"
DATA = os.urandom(300_000)  # lies in a volume; what is smaller than 64 KiB lies in the filer's index
NOBODY = 65534


@dataclass(frozen=True)
class Demo:
    """A running server in a folder that everybody may enter, as a careless home is."""

    folder: Path
    server: SeaweedServer
    store: S3Store

    @property
    def ports(self) -> dict[str, int]:
        return dict(json.loads((self.folder / "server" / "ports.json").read_text()))

    def holds(self) -> bool:
        """Whether the hospital's objects are there as they were."""
        return self.store.get(KEY, limit=10) == b"{}" and self.store.get("large", limit=400_000) == DATA


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    folder = Path(f"/tmp/wardround-users-{secrets.token_hex(6)}")  # pytest's own folders are closed already
    folder.mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        identities = federation_identities(LAYOUT, ["alder"], folder / "identities")
        with SeaweedServer(folder / "server", identities.values()) as server:
            own = identities[COORDINATOR]
            settings = S3Settings(
                endpoint=server.endpoint, access_key=own.access_key, secret_key=own.secret_key
            )
            exchange = S3Exchange(settings)
            exchange.create_bucket(OWN)
            store = exchange.store(OWN)
            store.put_new(KEY, b"{}")
            store.put_new("large", DATA)
            yield Demo(folder, server, store)
    finally:
        os.umask(before)
        shutil.rmtree(folder)


def as_nobody(*command: str) -> str:
    """What a program prints that runs as another user, with none of our groups."""
    done = subprocess.run(
        command,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
        check=False,
    )
    return done.stdout


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


@needs_root
def test_another_user_can_neither_read_nor_write_nor_remove_a_file_of_the_server(demo: Demo) -> None:
    everything = [str(path) for path in demo.folder.rglob("*") if path.parent != demo.folder]
    assert len(everything) > 10
    assert as_nobody("find", str(demo.folder), "-mindepth", "2", "-print") == ""
    # The paths are known to whoever installs the same, so guessing them must not help either.
    assert as_nobody("find", *everything, "-maxdepth", "0", "-print") == ""
    as_nobody("rm", "-rf", *everything)
    assert demo.holds()


def test_everything_that_the_server_writes_lies_in_folders_for_its_owner_alone(demo: Demo) -> None:
    folders = [demo.folder / "server", demo.folder / "identities"]
    folders += [path for path in (demo.folder / "server").rglob("*") if path.is_dir()]
    assert len(folders) > 5
    for path in folders:
        assert stat.S_IMODE(path.lstat().st_mode) == 0o700, path
    # SeaweedFS opens a volume's .vif to everybody by itself; it lies in a folder that nobody enters.
    files = [p for p in (demo.folder / "server").rglob("*") if not p.is_dir() and p.suffix != ".vif"]
    for path in files:
        assert not stat.S_IMODE(path.lstat().st_mode) & 0o077, path
    sockets = [path for port in demo.ports.values() for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")]
    assert sockets
    assert all(not stat.S_IMODE(path.lstat().st_mode) & 0o077 for path in sockets)


@needs_root
def test_another_user_cannot_open_a_socket_file_of_the_server(demo: Demo) -> None:
    paths = [
        str(path) for port in demo.ports.values() for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")
    ]
    assert len(paths) == 4
    # connect(2) to a socket file asks for the right to write it (unix(7)).
    assert as_nobody("find", *paths, "-writable", "-print") == ""
    assert as_nobody("find", *paths, "-print").split() == paths


REQUESTS = [
    ("GET", f"/col/delete?collection={OWN}"),
    ("POST", f"/col/delete?collection={OWN}"),
    ("GET", f"/dir/assign?collection={OWN}"),
    ("GET", "/dir/status"),
    ("GET", "/dir/lookup?volumeId=1"),
    ("GET", "/vol/vacuum?garbageThreshold=0"),
    ("GET", "/vol/grow?count=100"),
    ("GET", "/submit"),
    ("GET", "/status"),
    ("GET", "/ui/index.html"),
    ("GET", "/stats/disk"),
    ("GET", "/debug/pprof/heap"),
    ("GET", "/1,0100000000"),
    ("DELETE", "/1,0100000000"),
    ("GET", f"/buckets/{OWN}/{KEY}"),
    ("DELETE", f"/buckets/{OWN}?recursive=true"),
    ("DELETE", f"/{OWN}/{KEY}"),
    ("PUT", f"/{OWN}/{KEY}"),
    ("GET", f"/{OWN}/{KEY}"),
    ("GET", f"/{OWN}?list-type=2"),
]


@pytest.mark.parametrize(
    "part", ["master", "volume", "filer", "s3", "master-grpc", "volume-grpc", "filer-grpc", "s3-grpc"]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_part_answers_a_request_without_a_key_and_nothing_is_lost(
    demo: Demo, part: str, scheme: str
) -> None:
    context = ssl._create_unverified_context()  # an attacker does not mind
    urllib3.disable_warnings()
    with urllib3.PoolManager(ssl_context=context, retries=False, timeout=10) as pool:
        for method, path in REQUESTS:
            with suppress(urllib3.exceptions.HTTPError):
                answer = pool.request(method, f"{scheme}://127.0.0.1:{demo.ports[part]}{path}")
                # The gateway says that it lives; nothing else is said to anybody.
                assert answer.status >= 400 or (part == "s3" and path == "/status"), (
                    method,
                    path,
                    answer.data[:200],
                )
                assert DATA[:100] not in answer.data
    assert demo.holds()


def test_the_servers_own_shell_does_nothing_for_who_has_no_certificate(demo: Demo, tmp_path: Path) -> None:
    ports = demo.ports
    command = [
        str(_program()),
        "shell",
        f"-master=127.0.0.1:{ports['master']}.{ports['master-grpc']}",
        f"-filer=127.0.0.1:{ports['filer']}.{ports['filer-grpc']}",
    ]
    words = f"fs.ls /buckets\nfs.rm -rf /buckets/{OWN}\ncollection.delete -collection={OWN} -apply\nexit\n"
    with (tmp_path / "out").open("wb") as out:
        shell = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=out, stderr=out, cwd=tmp_path, env={"HOME": str(tmp_path)}
        )
        assert shell.stdin
        shell.stdin.write(words.encode())
        shell.stdin.flush()
        with suppress(subprocess.TimeoutExpired):
            shell.wait(8)
        shell.kill()
        shell.wait()
    assert OWN.encode() not in (tmp_path / "out").read_bytes()
    assert demo.holds()


def test_it_starts_again_on_what_it_has_and_its_certificate_is_another(tmp_path: Path) -> None:
    identities = federation_identities(LAYOUT, [], tmp_path / "identities")
    seen = []
    for _ in range(2):
        with SeaweedServer(tmp_path / "server", identities.values()) as server:
            own = identities[COORDINATOR]
            exchange = S3Exchange(
                S3Settings(endpoint=server.endpoint, access_key=own.access_key, secret_key=own.secret_key)
            )
            exchange.create_bucket(OWN)
            put_idempotent(exchange.store(OWN), "large", DATA)
            assert exchange.store(OWN).get("large", limit=400_000) == DATA
            seen.append((tmp_path / "server" / "grpc.key").read_bytes())
    assert seen[0] != seen[1]
