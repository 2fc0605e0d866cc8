"""Real exchanges to test against: a folder, SeaweedFS, and MinIO where the test bed has built it."""

import os
import secrets
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wardround.exchange.directory import DirectoryExchange
from wardround.exchange.s3 import S3Exchange
from wardround.exchange.settings import from_environment
from wardround.exchange.store import Exchange, Store
from wardround.local.seaweed import Identity, SeaweedServer

# Where `memory_secrets` is.
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "cluster"))

CLUSTER_HOME = Path(os.environ.get("WARDROUND_CLUSTER_HOME") or Path.home() / ".cache/wardround-cluster")
MINIO = CLUSTER_HOME / "platform/bin/minio"


@dataclass(frozen=True)
class Backend:
    """An exchange that a test, or a process of its own, can open."""

    kind: str
    address: str
    environment: dict[str, str] = field(default_factory=dict)

    def open(self, address: str | None = None) -> Exchange:
        if self.kind == "directory":
            return DirectoryExchange(Path(self.address))
        return S3Exchange(from_environment(address or self.address, self.environment))


@pytest.fixture(scope="session", params=["directory", "seaweedfs", "minio"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each of the three, one after the other."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session", params=["seaweedfs", "minio"])
def server(request: pytest.FixtureRequest) -> Backend:
    """The two that are servers."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Backend:
    return Backend("directory", str(tmp_path_factory.mktemp("directory")))


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    admin = Identity.generate("admin", ["Admin"])
    with SeaweedServer(tmp_path_factory.mktemp("seaweedfs"), [admin]) as server:
        yield Backend("seaweedfs", server.endpoint, _environment(admin.access_key, admin.secret_key))


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    if not MINIO.is_file():
        reason = (
            f"MinIO IS NOT TESTED: no program at {MINIO}; build the test bed, or set WARDROUND_CLUSTER_HOME"
        )
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)
    user, password, port = secrets.token_hex(8), secrets.token_hex(16), free_port()
    folder = tmp_path_factory.mktemp("minio")
    with _running_minio(folder, port, user, password) as address:
        yield Backend("minio", address, _environment(user, password))


@pytest.fixture
def new_bucket(backend: Backend) -> Iterator[Callable[[], Store]]:
    """Makes empty buckets, each opened on its own connection."""
    opened: list[Exchange] = []

    def make() -> Store:
        exchange = backend.open()
        opened.append(exchange)
        name = f"wardround-test-{secrets.token_hex(6)}"
        exchange.create_bucket(name)
        return exchange.store(name)

    yield make
    for exchange in opened:
        exchange.close()


@pytest.fixture
def store(new_bucket: Callable[[], Store]) -> Store:
    """An empty bucket."""
    return new_bucket()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(access_key: str, secret_key: str) -> dict[str, str]:
    return {"WARDROUND_S3_ACCESS_KEY": access_key, "WARDROUND_S3_SECRET_KEY": secret_key}


@contextmanager
def _running_minio(folder: Path, port: int, user: str, password: str) -> Iterator[str]:
    address = f"http://127.0.0.1:{port}"
    settings = {"MINIO_ROOT_USER": user, "MINIO_ROOT_PASSWORD": password, "MINIO_BROWSER": "off"}
    command = [str(MINIO), "server", "--address", f"127.0.0.1:{port}", "--json", str(folder / "data")]
    with (folder / "minio.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=settings | {"HOME": str(folder), "PATH": os.defpath}, stdout=log, stderr=log
        )
    try:
        _await_health(f"{address}/minio/health/live", process)
        yield address
    finally:
        process.kill()
        process.wait()


def _await_health(url: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            pass
        try:
            process.wait(timeout=0.05)
            break
        except subprocess.TimeoutExpired:
            continue
    pytest.fail(f"MinIO did not start; {url} gives no answer")
