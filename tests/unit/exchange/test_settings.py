"""S3 settings: https unless on this machine, secrets that do not show, messages that help."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from wardround.errors import ConfigurationError
from wardround.exchange.connect import open_exchange
from wardround.exchange.directory import DirectoryExchange
from wardround.exchange.s3 import S3Exchange
from wardround.exchange.settings import S3Settings, from_environment

SECRET = "s3cr3t-" + "x" * 20
KEYS = {"WARDROUND_S3_ACCESS_KEY": "me", "WARDROUND_S3_SECRET_KEY": SECRET}


def settings(endpoint: str, **more: Any) -> S3Settings:
    return S3Settings(endpoint=endpoint, access_key="me", secret_key=SecretStr(SECRET), **more)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:9000",
        "http://127.8.8.8:1",
        "http://localhost:1",
        "http://[::1]:9000",
        "https://s3.x.org",
    ],
)
def test_https_and_loopback_are_accepted(endpoint: str) -> None:
    assert settings(endpoint).endpoint == endpoint


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "s3.example.org", "localhost.example.org", "0.0.0.0", "[::]", "127.0.0.1.x.org"]
)
def test_plain_http_to_another_machine_is_refused_unless_allowed(host: str) -> None:
    with pytest.raises(ConfigurationError, match="WARDROUND_S3_ALLOW_HTTP"):
        settings(f"http://{host}:9000")
    assert not settings(f"http://{host}:9000", allow_http=True).secure


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "s3.example.org",
        "ftp://x",
        "https://",
        "https://x/path",
        "https://x?q",
        "https://u:p@x",
        "file:///x",
        "https://x#f",
    ],
)
def test_an_endpoint_of_another_form_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match=r"https://host\[:port\]"):
        settings(endpoint)


def test_a_missing_ca_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing\.pem"):
        settings("https://x", ca_file=tmp_path / "nothing.pem")


def test_the_environment_gives_everything(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    (tmp_path / "keys.json").write_text(json.dumps({"access_key": "you", "secret_key": SECRET}))
    read = from_environment(
        environment={
            "WARDROUND_S3_ENDPOINT": "http://10.0.0.1:9000",
            "WARDROUND_S3_REGION": "eu-central-1",
            "WARDROUND_S3_CA_FILE": str(tmp_path / "ca.pem"),
            "WARDROUND_S3_ALLOW_HTTP": "True",
            "WARDROUND_S3_CREDENTIALS_FILE": str(tmp_path / "keys.json"),
        }
        | KEYS
    )
    assert (read.access_key, read.region, read.allow_http) == ("you", "eu-central-1", True)
    assert read.ca_file == tmp_path / "ca.pem"
    assert read.secret_key.get_secret_value() == SECRET


@pytest.mark.parametrize("name", ["WARDROUND_S3_ENDPOINT", *KEYS])
def test_a_missing_variable_is_named(name: str) -> None:
    complete = {"WARDROUND_S3_ENDPOINT": "https://x"} | KEYS
    with pytest.raises(ConfigurationError, match=f"^{name} is not set"):
        from_environment(environment={key: value for key, value in complete.items() if key != name})


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", SECRET, f'{{"access_key": "{SECRET}"}}', f'{{"secret_key": "{SECRET}"}}']
)
def test_a_damaged_credentials_file_is_named_and_not_quoted(tmp_path: Path, content: str) -> None:
    (tmp_path / "keys.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"keys\.json") as refusal:
        from_environment("https://x", {"WARDROUND_S3_CREDENTIALS_FILE": str(tmp_path / "keys.json")})
    assert SECRET not in str(refusal.value)


def test_a_missing_credentials_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"gone\.json"):
        from_environment("https://x", {"WARDROUND_S3_CREDENTIALS_FILE": str(tmp_path / "gone.json")})


def test_a_flag_that_is_neither_yes_nor_no_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="WARDROUND_S3_ALLOW_HTTP is 'perhaps'"):
        from_environment("https://x", KEYS | {"WARDROUND_S3_ALLOW_HTTP": "perhaps"})


def test_secrets_do_not_show() -> None:
    exchange = S3Exchange(settings("https://x"))
    for thing in (settings("https://x"), exchange, exchange.store("wardround-x"), vars(exchange)):
        assert SECRET not in f"{thing!r} {thing!s}"


@pytest.mark.parametrize("address", ["{}", "file://{}"])
def test_a_folder_is_opened_by_its_path(tmp_path: Path, address: str) -> None:
    exchange = open_exchange(address.format(tmp_path))
    assert exchange == DirectoryExchange(tmp_path)


def test_a_server_is_opened_with_the_identity_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    assert isinstance(open_exchange("https://s3.example.org"), S3Exchange)


@pytest.mark.parametrize("address", ["", "ftp://x", "s3://bucket", "file://host/x"])
def test_another_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="not legal"):
        open_exchange(address)
