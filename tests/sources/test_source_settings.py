"""What a data steward may write, and what is refused with advice."""

from datetime import date
from pathlib import Path

import pytest

from wardround.errors import ConfigurationError
from wardround.imaging.sources.credentials import read_login
from wardround.imaging.sources.prepare import spool_name
from wardround.imaging.sources.settings import DicomWebSource, FolderSource, S3Source, image_source
from wardround.site.settings import SiteSettings

REST = {"federation": "f", "site": "s", "run": "r", "exchange": "/e", "key_file": "k", "coordinator_key": "0"}
FOLDERS = {"data": "d", "work": "w"}


def test_an_address_says_what_kind_of_source_it_is() -> None:
    assert image_source("/images") == FolderSource(path=Path("/images"))
    assert image_source("s3://pacs-export/a/b%20c/") == S3Source(bucket="pacs-export", prefix="a/b c/")
    assert image_source("s3://pacs-export") == S3Source(bucket="pacs-export")
    found = image_source("https://pacs:8443/dicom-web/", {"modalities": ["CT"], "since": date(2020, 1, 1)})
    assert isinstance(found, DicomWebSource) and found.url == "https://pacs:8443/dicom-web"
    assert found.modalities == ("CT",) and found.labelled_only


@pytest.mark.parametrize(
    ("address", "chosen", "words"),
    [
        ("https://anna:geheim@pacs/dicom-web", {}, "CREDENTIALS_FILE"),
        ("s3://anna:geheim@bucket/x", {}, "CREDENTIALS_FILE"),
        ("http://pacs/dicom-web", {}, "allow_http"),
        ("http://8.8.8.8/dicom-web", {}, "allow_http"),
        ("https://pacs/dicom-web?token=geheim", {}, "form"),
        ("ftp://pacs/geheim", {}, "legal"),
        ("s3://Bad_Bucket/geheim", {}, "bucket"),
        ("", {}, "legal"),
        ("/images", {"modalities": ["CT"]}, "modalities"),
        ("https://pacs", {"modality": ["CT"]}, "modality"),
        ("https://pacs", {"modalities": ["ct; geheim"]}, "modalities"),
        ("https://pacs", {"study_descriptions": ["geheim\\x"]}, "study_descriptions"),
        ("https://pacs", {"since": "2021-01-01", "until": "2020-01-01"}, "until"),
        ("https://pacs", {"ca_file": "/nowhere.pem"}, "ca_file"),
        ("https://pacs", {"connections": 0}, "connections"),
    ],
)
def test_what_is_not_legal_is_refused_with_advice_and_without_secrets(
    address: str, chosen: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words) as refusal:
        image_source(address, chosen)
    assert "geheim" not in str(refusal.value) + repr(refusal.value.__cause__)


@pytest.mark.parametrize("url", ["http://localhost:8042/dicom-web", "http://[::1]/x", "http://127.0.0.1/x"])
def test_plain_http_to_this_machine_is_accepted(url: str) -> None:
    assert isinstance(image_source(url), DicomWebSource)


def test_a_spool_is_named_by_the_selection_alone() -> None:
    one = image_source("https://pacs", {"connections": 1, "keep_files": True})
    same, other = image_source("https://pacs"), image_source("https://pacs", {"modalities": ["MR"]})
    assert (
        isinstance(one, DicomWebSource)
        and isinstance(same, DicomWebSource)
        and isinstance(other, DicomWebSource)
    )
    assert spool_name(one) == spool_name(same) != spool_name(other)


def test_a_selection_is_a_mapping_or_a_yaml_file_that_holds_one(tmp_path: Path) -> None:
    path = tmp_path / "select.yaml"
    path.write_text("modalities: [CR]\nsince: 2020-01-01\n")
    wanted = {"modalities": ["CR"], "since": date(2020, 1, 1)}
    for select in (wanted, str(path)):
        assert SiteSettings.model_validate({**REST, **FOLDERS, "select": select}).select == wanted
    with pytest.raises(ValueError, match="neither a mapping nor the path of a YAML file"):
        SiteSettings.model_validate({**REST, **FOLDERS, "select": str(tmp_path / "nowhere")})


def test_a_login_is_a_user_a_token_or_nothing(tmp_path: Path) -> None:
    prefix, file = "WARDROUND_SOURCE_", tmp_path / "login.json"
    assert read_login({f"{prefix}USER": "müller", f"{prefix}PASSWORD": "p"}).header == "Basic bcO8bGxlcjpw"
    assert read_login({f"{prefix}TOKEN": "t0ken\n"}).header == "Bearer t0ken"
    assert read_login({}).header is None
    file.write_text("{}")
    assert read_login({f"{prefix}CREDENTIALS_FILE": str(file)}).header is None


@pytest.mark.parametrize(
    "content",
    ['{"user": "geheim"}', '{"geheim": 1}', "geheim", '{"user":"a","password":"geheim","token":"b"}'],
)
def test_a_login_that_is_not_legal_is_refused_without_being_shown(tmp_path: Path, content: str) -> None:
    file = tmp_path / "login.json"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"login\.json") as refusal:
        read_login({"WARDROUND_SOURCE_CREDENTIALS_FILE": str(file)})
    assert "geheim" not in str(refusal.value) and refusal.value.__cause__ is None
