"""What is made before any server starts: once, and never again."""

import configparser
import json
import re

import pytest
from memory_secrets import MemorySecrets
from typer.testing import CliRunner

from wardround.cluster.credentials import BrokenSecretError, credential_in
from wardround.cluster.exchange import make_credentials
from wardround.cluster.mlflow_users import make_passwords
from wardround.cluster.prepare import prepare
from wardround.cluster.settings import ClusterSettings

CLUSTER = {
    "federation": "thorax",
    "hospitals": ["alder", "birch"],
    "exchange": {
        "endpoint": "https://exchange:9000",
        "artifacts_bucket": "mlflow-thorax",
        "tls_secret": "wardround-exchange-tls",
    },
    "certificate": {"names": ["exchange"]},
    "mlflow": {"url": "http://mlflow:5000", "readers": ["alder"], "database": {"host": "database"}},
}


@pytest.fixture
def settings() -> ClusterSettings:
    return ClusterSettings.model_validate(CLUSTER)


@pytest.fixture
def store() -> MemorySecrets:
    return MemorySecrets()


def test_everything_that_servers_mount_is_there(settings: ClusterSettings, store: MemorySecrets) -> None:
    assert set(prepare(settings, store)) == set(store.content)
    assert {name: sorted(content) for name, content in store.content.items()} == {
        "wardround-exchange-ca": ["ca.crt", "ca.key"],
        "wardround-exchange-tls": ["ca.crt", "tls.crt", "tls.key"],
        "wardround-exchange-root": ["rootPassword", "rootUser"],
        "wardround-exchange": ["ca.crt", "credentials", "s3.json"],
        "wardround-credential-alder": ["ca.crt", "credentials", "s3.json"],
        "wardround-credential-birch": ["ca.crt", "credentials", "s3.json"],
        "wardround-mlflow-s3": ["ca.crt", "credentials", "s3.json"],
        "wardround-mlflow": ["password", "username"],
        "wardround-mlflow-admin": ["password", "username"],
        "wardround-mlflow-reader-alder": ["password", "username"],
        "wardround-mlflow-db": ["password", "uri"],
        "wardround-mlflow-server": ["basic_auth.ini", "database-uri", "flask-secret-key"],
    }


def test_a_second_start_writes_nothing(settings: ClusterSettings, store: MemorySecrets) -> None:
    prepare(settings, store)
    before, writes = {name: dict(content) for name, content in store.content.items()}, store.writes
    prepare(settings, store)
    assert (store.content, store.writes) == (before, writes)


def test_a_start_that_broke_off_anywhere_is_finished_by_the_next(settings: ClusterSettings) -> None:
    whole = MemorySecrets()
    names = prepare(settings, whole)
    for lost in names:
        store = MemorySecrets({name: dict(each) for name, each in whole.content.items() if name != lost})
        prepare(settings, store)
        assert set(store.content) == set(names)


def test_no_two_secrets_share_a_password(settings: ClusterSettings, store: MemorySecrets) -> None:
    prepare(settings, store)
    keys = [each.secret_key for each in make_credentials(settings, store).values()]
    passwords = [each.secret_key for each in make_passwords(settings.mlflow, store).values()]  # type: ignore[arg-type]
    assert len({*keys, *passwords}) == len(keys) + len(passwords) == 7
    assert all(len(key) == 40 for key in keys)  # MinIO's longest


def test_mlflows_configuration_is_read_back_as_it_was_meant(store: MemorySecrets) -> None:
    uri = "postgresql+psycopg2://somebody:per%25cent@db.example.org:5432/models"
    store.content["given"] = {"uri": uri.encode()}
    mlflow = {"url": "http://mlflow:5000", "database_secret": "given"}
    prepare(ClusterSettings.model_validate(CLUSTER | {"mlflow": mlflow}), store)
    parser = configparser.ConfigParser()
    parser.read_string(store.content["wardround-mlflow-server"]["basic_auth.ini"].decode())
    assert parser["mlflow"]["database_uri"] == uri
    assert parser["mlflow"]["default_permission"] == "READ"
    assert int(parser["mlflow"]["auth_cache_ttl_seconds"]) <= 60  # so long an old password is good


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2", "postgresql+pg8000"])
def test_the_driver_of_mlflows_image_is_used_whatever_the_address_says(
    store: MemorySecrets, scheme: str
) -> None:
    store.content["given"] = {"uri": f"{scheme}://a:b@db:5432/models".encode()}
    mlflow = {"url": "http://mlflow:5000", "database_secret": "given"}
    prepare(ClusterSettings.model_validate(CLUSTER | {"mlflow": mlflow}), store)
    server = store.content["wardround-mlflow-server"]
    assert server["database-uri"] == b"postgresql+psycopg2://a:b@db:5432/models"
    assert server["database-uri"] in server["basic_auth.ini"]


def test_a_new_database_address_reaches_mlflows_configuration(
    settings: ClusterSettings, store: MemorySecrets
) -> None:
    prepare(settings, store)
    key = store.content["wardround-mlflow-server"]["flask-secret-key"]
    store.content["wardround-mlflow-db"]["uri"] = b"postgresql+psycopg2://a:b@elsewhere:5432/mlflow"
    prepare(settings, store)
    server = store.content["wardround-mlflow-server"]
    assert b"elsewhere" in server["basic_auth.ini"] and server["flask-secret-key"] == key


def test_a_new_authority_reaches_every_credential_and_no_key_changes(
    settings: ClusterSettings, store: MemorySecrets
) -> None:
    prepare(settings, store)
    keys = make_credentials(settings, store)
    del store.content["wardround-exchange-ca"]
    prepare(settings, store)
    authority = store.content["wardround-exchange-ca"]["ca.crt"]
    assert store.content["wardround-exchange-tls"]["ca.crt"] == authority
    assert store.content["wardround-credential-alder"]["ca.crt"] == authority
    assert make_credentials(settings, store) == keys


def test_a_database_whose_secret_is_missing_or_of_another_form_is_named_without_its_content(
    store: MemorySecrets,
) -> None:
    mlflow = {"url": "http://mlflow:5000", "database_secret": "given"}
    settings = ClusterSettings.model_validate(CLUSTER | {"mlflow": mlflow})
    with pytest.raises(BrokenSecretError, match="'given' is not there"):
        prepare(settings, store)
    store.content["given"] = {"uri": b"mysql://root:hunter2@db/x"}
    with pytest.raises(BrokenSecretError, match="not of the form") as caught:
        prepare(settings, store)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"access_key": "a"}', b"hunter2"])
def test_a_credential_of_another_form_is_refused_without_its_content(
    settings: ClusterSettings, store: MemorySecrets, content: bytes
) -> None:
    prepare(settings, store)
    store.content["wardround-credential-alder"]["s3.json"] = content
    with pytest.raises(BrokenSecretError, match="wardround-credential-alder") as caught:
        make_credentials(settings, store)
    assert "hunter2" not in str(caught.value)


def test_a_credential_file_is_one_that_the_exchanges_client_reads(
    settings: ClusterSettings, store: MemorySecrets
) -> None:
    prepare(settings, store)
    stored = store.read("wardround-exchange")
    assert stored is not None
    assert set(json.loads(stored.content["s3.json"])) == {"access_key", "secret_key"}
    found = credential_in(stored)
    assert re.fullmatch(r"coordinator-[0-9a-f]{8}", found.access_key) and found.secret_key not in repr(found)


def test_the_command_that_prints_policies_needs_no_cluster_and_no_secret(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from wardround.cli.cluster import app

    path = tmp_path / "cluster.yaml"
    path.write_text(json.dumps(CLUSTER), "utf-8")
    result = CliRunner().invoke(app, ["policies", "--config", str(path)])
    assert result.exit_code == 0
    assert set(json.loads(result.stdout)) == {"coordinator", "mlflow", "alder", "birch"}
