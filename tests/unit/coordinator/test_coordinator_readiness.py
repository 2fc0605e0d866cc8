"""What `wardround coordinator check` finds before a first run, on a real S3 server."""

import base64
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from wardround.coordinator.readiness import (
    WRITE_ONCE,
    CheckSettings,
    _write_once,
    exchange_findings,
    registry_finding,
)
from wardround.exchange.directory import DirectoryExchange
from wardround.exchange.envelope import SigningKey
from wardround.exchange.findings import Finding
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.exchange.messages import FederationMessage
from wardround.exchange.records import Channel
from wardround.exchange.s3 import S3Exchange
from wardround.exchange.settings import from_environment
from wardround.local.seaweed import SeaweedServer, federation_identities

LAYOUT = Layout("north")
CREDENTIALS = "WARDROUND_S3_CREDENTIALS_FILE"
LOGIN = {"MLFLOW_TRACKING_USERNAME": "coordinator", "MLFLOW_TRACKING_PASSWORD": "not-so-secret"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("federation")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[SeaweedServer]:
    identities = federation_identities(LAYOUT, ["alder", "birch"], folder / "identities")
    SigningKey.generate().save(folder / "key.pem")
    with SeaweedServer(folder / "server", identities.values()) as server:
        exchange = as_coordinator(server, folder)
        for bucket in (LAYOUT.federation, LAYOUT.coordinator, LAYOUT.site("alder"), LAYOUT.site("birch")):
            exchange.create_bucket(bucket)
        yield server


@pytest.fixture
def settings(server: SeaweedServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> CheckSettings:
    monkeypatch.setenv(CREDENTIALS, str(folder / "identities/coordinator.json"))
    members = {"alder": "ab" * 32}
    return CheckSettings(
        federation="north", exchange=server.endpoint, key_file=folder / "key.pem", members=members
    )


@pytest.fixture
def registry() -> Iterator[str]:
    """Answers who asks, as MLflow with basic authentication does: 401 without the right login."""
    words = base64.b64encode(":".join(LOGIN.values()).encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers.get("Authorization") == f"Basic {words}"
            self.send_response(200 if known else 401)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def as_coordinator(server: SeaweedServer, folder: Path) -> S3Exchange:
    login = {CREDENTIALS: str(folder / "identities/coordinator.json")}
    return S3Exchange(from_environment(server.endpoint, login))


def by_name(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {each.what: each for each in findings}


def test_a_coordinator_reaches_its_buckets_and_the_members_and_nothing_is_written_over(
    settings: CheckSettings, server: SeaweedServer, folder: Path
) -> None:
    for _ in range(2):  # the object of the first check is there at the second
        found = by_name(exchange_findings(settings))
        assert {each.what: each.ok for each in found.values()} == {
            "bucket wardround-north": True,
            "bucket wardround-north-coordinator": True,
            "bucket wardround-north-alder": True,
            "what is written stays": True,
            "the key is the federation's": True,
        }
        assert "nothing is signed" in found["the key is the federation's"].detail
    kept = as_coordinator(server, folder).store(LAYOUT.coordinator)
    assert (list(kept.list("")), kept.get(WRITE_ONCE, limit=9)) == ([WRITE_ONCE], b"first")


def test_another_ones_login_is_found_and_proves_nothing_else(
    settings: CheckSettings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CREDENTIALS, str(folder / "identities/alder.json"))
    found = by_name(exchange_findings(settings))
    assert found["bucket wardround-north-coordinator"].ok is False
    assert found["what is written stays"].ok is None
    assert found["the key is the federation's"].ok is None


def test_a_server_that_overwrites_is_refused(tmp_path: Path) -> None:
    class Forgetful:
        """A bucket as on a server that does not know the condition."""

        def put_new(self, key: str, data: bytes) -> None:
            (tmp_path / "object").write_bytes(data)

    found = _write_once(Forgetful())  # type: ignore[arg-type]
    assert found.ok is False and "[not-write-once]" in found.detail
    exchange = DirectoryExchange(tmp_path)
    exchange.create_bucket("honest")
    assert _write_once(exchange.store("honest")).ok is True


def test_the_key_must_be_the_one_that_signed_the_federation(
    settings: CheckSettings, server: SeaweedServer, folder: Path
) -> None:
    key = SigningKey.load(folder / "key.pem")
    message = FederationMessage(name="north", coordinator=key.public.text, members={"alder": "ab" * 32})
    Channel("north", "none", COORDINATOR, key).write(
        as_coordinator(server, folder).store(LAYOUT.federation), message
    )
    what = "the key is the federation's"
    assert "has signed" in by_name(exchange_findings(settings))[what].detail
    SigningKey.generate().save(folder / "other.pem")
    other = by_name(exchange_findings(settings.model_copy(update={"key_file": folder / "other.pem"})))[what]
    assert other.ok is False and "[forged-signature]" in other.detail


def test_the_registry_is_asked_with_the_login_and_no_password_is_shown(registry: str) -> None:
    assert registry_finding(registry, LOGIN).ok is True
    wrong = registry_finding(registry, LOGIN | {"MLFLOW_TRACKING_PASSWORD": "guess"})
    assert wrong.ok is False and "[denied]" in wrong.detail and "guess" not in wrong.detail
    assert registry_finding(registry, {}).ok is None
    away = registry_finding("http://127.0.0.1:9", LOGIN, patience_s=0)
    assert away.ok is False and "[mlflow-unavailable]" in away.detail and "secret" not in away.detail


def test_the_command_prints_a_table_and_its_exit_code_tells(
    settings: CheckSettings, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "coordinator.yaml"
    content = settings.model_dump(mode="json", exclude_none=True)
    file.write_text(
        yaml.safe_dump(content | {"work": "/work", "outage_s": 5}), "utf-8"
    )  # as the chart has it
    command = [sys.executable, "-m", "wardround", "coordinator", "check", "--settings", str(file)]
    good = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (good.returncode, "FAILED" in good.stdout) == (0, False), good.stderr
    file.write_text(yaml.safe_dump(content | {"members": {"cedar": "cd" * 32}}), "utf-8")
    bad = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stdout.count("FAILED")) == (1, 1), bad.stdout
