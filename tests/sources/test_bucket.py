"""From a real S3 server to shards."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from minio import Minio

from conformance.tap import Tap
from wardround.errors import ConfigurationError
from wardround.imaging.sources.errors import AwayError, EmptySelectionError, SourceDeniedError
from wardround.imaging.sources.prepare import prepare
from wardround.local.seaweed import Identity, SeaweedServer

from .conftest import STUDIES, Hospital
from .test_archive import MakeOrder, incoming, shards, total
from .test_troubles import once, run_until_killed

ADMIN = Identity.generate("admin", ["Admin"])
# As hospitals and their export tools name files.
ODD = "export/MÜLLER^ANNA 1970/{index} (a+b)#%2e.dcm"


@pytest.fixture(scope="module")
def server(hospital: Hospital, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedServer]:
    """A bucket `export` with the hospital's files under odd names."""
    with SeaweedServer(tmp_path_factory.mktemp("seaweed"), [ADMIN]) as server:
        bucket = client(server)
        bucket.make_bucket("hospital.export")
        for index, path in enumerate(sorted(hospital.files.iterdir())):
            bucket.fput_object("hospital.export", ODD.format(index=index), str(path))
        bucket.put_object("hospital.export", "elsewhere/x", io.BytesIO(b"x"), 1)
        yield server


@pytest.fixture(autouse=True)
def identity(tmp_path: Path, login: Path, server: SeaweedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    ADMIN.write_credentials(tmp_path / "s3.json")
    monkeypatch.setenv("WARDROUND_SOURCE_CREDENTIALS_FILE", str(tmp_path / "s3.json"))
    monkeypatch.setenv("WARDROUND_SOURCE_ENDPOINT", server.endpoint)


def client(server: SeaweedServer) -> Minio:
    endpoint = urlsplit(server.endpoint).netloc
    return Minio(endpoint, access_key=ADMIN.access_key, secret_key=ADMIN.secret_key, secure=False)


def test_a_bucket_gives_the_shards_of_the_same_files_in_a_folder(
    hospital: Hospital, order: MakeOrder, tmp_path: Path
) -> None:
    fetched = prepare(order("s3://hospital.export/export/"))
    assert fetched == prepare(order(str(hospital.files), out="folder")) and total(fetched) == STUDIES
    assert shards(tmp_path / "out") == shards(tmp_path / "folder") != {}
    seen: list[str] = []
    assert prepare(order("s3://hospital.export/export/"), progress=lambda *s: seen.append(s[0])) == fetched
    assert seen == [] and [path for path in (tmp_path / "incoming").rglob("*") if path.is_file()] != []


def test_a_copy_that_was_killed_goes_on(order: MakeOrder, tmp_path: Path) -> None:
    run_until_killed(order("s3://hospital.export/export/"), "fetch", 10)
    seen: list[int] = []
    info = prepare(order("s3://hospital.export/export/"), progress=lambda stage, done, _: seen.append(done))
    assert seen[0] >= 10 and total(info) == STUDIES


def test_an_object_that_was_replaced_is_fetched_again_and_one_that_is_gone_is_removed(
    server: SeaweedServer, hospital: Hospital, order: MakeOrder, tmp_path: Path
) -> None:
    bucket, files = client(server), sorted(hospital.files.iterdir())
    for name, path in (("a", files[0]), ("b", files[1]), ("c", files[2])):
        bucket.fput_object("hospital.export", f"few/{name}", str(path))
    three = order("s3://hospital.export/few/", keep_files=True)
    assert total(prepare(three)) == 3
    bucket.fput_object("hospital.export", "few/a", str(files[3]))
    bucket.remove_object("hospital.export", "few/b")
    seen: list[tuple[str, int, int]] = []
    assert total(prepare(three, progress=lambda *step: seen.append(step))) == 2
    assert seen[0] == ("fetch", 1, 2)
    assert sorted(path.read_bytes() for path in (tmp_path / "incoming").glob("*/files/*/*")) == sorted(
        path.read_bytes() for path in files[2:4]
    )


def test_a_broken_network_is_sat_out(server: SeaweedServer, order: MakeOrder) -> None:
    with Tap(int(urlsplit(server.endpoint).port or 0)) as tap:

        def cut() -> None:
            tap.swallow = 3

        source = order("s3://hospital.export/export/", endpoint=tap.address)
        assert total(prepare(source, progress=once("fetch", 8, cut))) == STUDIES and tap.broken == 3


def test_errors_name_no_object_and_no_secret(order: MakeOrder, tmp_path: Path, server: SeaweedServer) -> None:
    with pytest.raises(EmptySelectionError):
        prepare(order("s3://hospital.export/nothing/"))
    with pytest.raises(ConfigurationError, match="no such bucket"):
        prepare(order("s3://other-bucket/x"))
    with pytest.raises(AwayError):
        prepare(order("s3://hospital.export/export/", endpoint="http://127.0.0.1:9", outage_s=0.1))
    (tmp_path / "s3.json").write_text(
        json.dumps({"access_key": ADMIN.access_key, "secret_key": "geheim" * 6})
    )
    with pytest.raises(SourceDeniedError) as refusal:
        prepare(order("s3://hospital.export/export/"))
    assert "geheim" not in str(refusal.value) and "ANNA" not in str(refusal.value)


def test_a_file_that_is_too_large_is_not_fetched(
    server: SeaweedServer, hospital: Hospital, order: MakeOrder, tmp_path: Path
) -> None:
    small = min(path.stat().st_size for path in hospital.files.iterdir())
    large = sum(path.stat().st_size > small for path in hospital.files.iterdir())
    info = prepare(order("s3://hospital.export/export/", max_file_bytes=small))
    assert total(info) == STUDIES - large > 0
    (listed,) = (tmp_path / "incoming").glob("*/unfetched.csv")
    assert listed.read_text().count(",too-large") == large and incoming(tmp_path) == []
