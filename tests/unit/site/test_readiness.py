"""What `wardround site check` and `site prepare` find before a first run, on a real S3 server."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from wardround.errors import ConfigurationError
from wardround.exchange.envelope import SigningKey
from wardround.exchange.findings import Finding
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.exchange.messages import FederationMessage
from wardround.exchange.records import Channel
from wardround.exchange.s3 import S3Exchange
from wardround.exchange.settings import from_environment
from wardround.local.phantoms import HOSPITALS, generate_xray_site
from wardround.local.seaweed import SeaweedServer, federation_identities
from wardround.site.readiness import exchange_findings
from wardround.site.readiness_images import image_findings, label_finding
from wardround.site.settings import SiteSettings
from wardround.site.volumes import check_readable, prepare_work

LAYOUT = Layout("north")
CREDENTIALS = "WARDROUND_S3_CREDENTIALS_FILE"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("federation")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[SeaweedServer]:
    identities = federation_identities(LAYOUT, ["alder", "birch"], folder / "identities")
    SigningKey.generate().save(folder / "coordinator.pem")
    SigningKey.generate().save(folder / "alder.pem")
    with SeaweedServer(folder / "server", identities.values()) as server:
        exchange = as_coordinator(server, folder)
        for bucket in (LAYOUT.federation, LAYOUT.coordinator, LAYOUT.site("alder"), LAYOUT.site("birch")):
            exchange.create_bucket(bucket)
        yield server


@pytest.fixture
def settings(server: SeaweedServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> SiteSettings:
    monkeypatch.setenv(CREDENTIALS, str(folder / "identities/alder.json"))
    return SiteSettings(
        federation="north",
        site="alder",
        run="none",
        exchange=server.endpoint,
        key_file=folder / "alder.pem",
        coordinator_key=SigningKey.load(folder / "coordinator.pem").public.text,
        data=folder,
        work=folder,
    )


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("images")
    generate_xray_site(made, HOSPITALS[0], 3, 1)
    return made


def as_coordinator(server: SeaweedServer, folder: Path) -> S3Exchange:
    return S3Exchange(
        from_environment(server.endpoint, {CREDENTIALS: str(folder / "identities/coordinator.json")})
    )


def states(findings: Iterator[Finding]) -> dict[str, bool | None]:
    return {each.what: each.ok for each in findings}


def ran(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_site_reaches_its_buckets_and_no_others_before_it_is_a_member(settings: SiteSettings) -> None:
    assert states(exchange_findings(settings, "birch")) == {
        "bucket wardround-north": True,
        "bucket wardround-north-alder": True,
        "this site is a member": None,
        "bucket wardround-north-coordinator is refused": True,
        "bucket wardround-north-birch is refused": True,
    }


def test_a_login_that_reads_more_than_its_own_is_found(
    settings: SiteSettings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CREDENTIALS, str(folder / "identities/coordinator.json"))
    found = {each.what: each for each in exchange_findings(settings, "birch")}
    wide = found["bucket wardround-north-birch is refused"]
    assert wide.ok is False and "too wide" in wide.detail
    assert found["bucket wardround-north-coordinator is refused"].ok is False


def test_a_wrong_login_proves_nothing_about_other_buckets(
    settings: SiteSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "s3.json"
    wrong.write_text('{"access_key": "nobody", "secret_key": "not-a-secret"}', "utf-8")
    monkeypatch.setenv(CREDENTIALS, str(wrong))
    found = states(exchange_findings(settings, None))
    assert found["bucket wardround-north"] is False
    assert found["bucket wardround-north-coordinator is refused"] is None


def test_membership_is_what_the_coordinator_signed(
    settings: SiteSettings, server: SeaweedServer, folder: Path
) -> None:
    keys = {name: SigningKey.load(folder / f"{name}.pem") for name in ("coordinator", "alder")}
    members = {"alder": keys["alder"].public.text, "birch": SigningKey.generate().public.text}
    message = FederationMessage(name="north", coordinator=keys["coordinator"].public.text, members=members)
    channel = Channel("north", "none", COORDINATOR, keys["coordinator"])
    channel.write(as_coordinator(server, folder).store(LAYOUT.federation), message)
    assert states(exchange_findings(settings, None))["this site is a member"] is True
    stranger = settings.model_copy(update={"coordinator_key": keys["alder"].public.text})
    found = {each.what: each for each in exchange_findings(stranger, None)}["this site is a member"]
    assert found.ok is False and "[forged-signature]" in found.detail
    mistaken = settings.model_copy(update={"key_file": folder / "coordinator.pem"})
    found = {each.what: each for each in exchange_findings(mistaken, None)}["this site is a member"]
    assert found.ok is False and "send it the key" in found.detail


def test_the_first_images_and_the_labels_are_read(settings: SiteSettings, images: Path) -> None:
    (found,) = image_findings(settings.model_copy(update={"dicom": str(images)}), 2, images / "labels.csv")
    assert found.ok is True and found.detail.startswith("2 of the first 2 files")
    assert label_finding(images / "labels.csv", "utf-8") == Finding(
        "labels", True, f"{images / 'labels.csv'}: 3 rows"
    )


def test_what_is_no_image_is_counted_by_reason(settings: SiteSettings, tmp_path: Path, images: Path) -> None:
    (tmp_path / "notes.txt").write_text("Mrs. Roe, born 1950", "utf-8")
    alone = settings.model_copy(update={"dicom": str(tmp_path)})
    (found,) = image_findings(alone, 9, None)
    assert found.ok is False and "1 not-dicom" in found.detail and "Roe" not in found.detail
    (tmp_path / "z.dcm").write_bytes((images / "dicom/00000.dcm").read_bytes())
    (found,) = image_findings(alone, 9, None)
    assert found.ok is None and "1 of the first 2 files" in found.detail


def test_an_empty_folder_an_empty_table_and_an_archive_that_is_away_are_failures(
    settings: SiteSettings, tmp_path: Path
) -> None:
    (found,) = image_findings(settings.model_copy(update={"dicom": str(tmp_path)}), 9, None)
    assert found.ok is False
    (tmp_path / "labels.csv").write_text("patient,label\n", "utf-8")
    assert label_finding(tmp_path / "labels.csv", "utf-8").ok is False
    assert label_finding(tmp_path / "elsewhere.csv", "utf-8").ok is False
    away = settings.model_copy(update={"dicom": "http://127.0.0.1:9/dicom-web"})
    (found,) = image_findings(away, 9, None)
    assert found.ok is False and "[" in found.detail


def test_the_command_prints_a_table_and_its_exit_code_tells(
    settings: SiteSettings, images: Path, tmp_path: Path
) -> None:
    file = tmp_path / "site.yaml"
    content = settings.model_dump(mode="json", exclude={"run", "data", "select", "harmless_words"})
    file.write_text(yaml.safe_dump(content | {"dicom": str(images)}), "utf-8")
    command = [sys.executable, "-m", "wardround", "site", "check", "--settings", str(file)]
    good = ran([*command, "--labels", str(images / "labels.csv")])
    assert (good.returncode, "FAILED" in good.stdout) == (0, False), good.stderr
    bad = ran([*command, "--labels", str(tmp_path / "none.csv")])
    assert (bad.returncode, bad.stdout.count("FAILED")) == (1, 1)


def test_a_work_folder_is_tried_by_writing_and_left_clean(tmp_path: Path) -> None:
    assert "can be written" in prepare_work(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["approvals"]
    assert "can be written" in prepare_work(tmp_path)


def test_a_volume_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    for function, code in ((prepare_work, "work-not-writable"), (check_readable, "images-not-readable")):
        with pytest.raises(ConfigurationError, match=r"user .* and group") as caught:
            function(tmp_path / "absent")
        assert caught.value.code == code
    assert check_readable(tmp_path) == "can be read; nothing is in it yet"
