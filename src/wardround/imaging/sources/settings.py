"""What a data steward says about where the images are, and which of them to take."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from wardround.errors import ConfigurationError
from wardround.exchange.settings import is_this_machine
from wardround.validation import problems

# PS3.5 table 6.2-1: CS has 16 characters of this set; LO 64, none of them a backslash or a control character.
Code = Annotated[str, Field(pattern=r"^[A-Z0-9_ ]{1,16}$")]
Pattern = Annotated[str, Field(pattern=r"^[^\\\x00-\x1f]{1,64}$")]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class FolderSource(_Closed):
    """A folder of DICOM files, searched with all its folders, read in place and never written to."""

    path: Path


class _Fetched(_Closed):
    """What every source has that is copied first.

    ca_file: PEM file of the authorities to trust instead of the usual ones. allow_http: accept an unencrypted
    connection to another machine. connections: how many parcels are fetched at once. max_file_bytes: larger
    files are not fetched. outage_s: how long an archive may be away before the step ends. keep_files: keep the
    copied files when the dataset is complete, so that another dataset can be made without fetching again.
    """

    ca_file: Path | None = None
    allow_http: bool = False
    connections: Annotated[int, Field(ge=1, le=64)] = 4
    max_file_bytes: Annotated[int, Field(ge=1)] = 2 << 30
    outage_s: Annotated[float, Field(ge=0)] = 600.0
    keep_files: bool = False

    @field_validator("ca_file")
    @classmethod
    def _exists(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(f"{str(path)!r} does not exist; give a PEM file of certificates")
        return path


class S3Source(_Fetched):
    """All objects of a bucket under a prefix.

    `endpoint` is `https://host[:port]`; without it, it is WARDROUND_SOURCE_ENDPOINT. The identity comes from
    the environment (`credentials`).
    """

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    prefix: str = ""
    endpoint: str | None = None
    region: str = "us-east-1"


class DicomWebSource(_Fetched):
    """The studies of an archive that match: QIDO-RS finds them, WADO-RS hands them over (PS3.18 chapter 10).

    url: the service, `https://host[:port]/path`. labelled_only: take only studies that the label table names.
    modalities: the task's own if none are given. since, until: dates of the study, both included.
    study_descriptions, series_descriptions: any of these; `*` and `?` stand for any characters and any one.
    body_parts: any of these values of BodyPartExamined. timeout_s: for each sign of life of the archive.
    page_size: studies asked for in one answer.
    """

    url: str
    labelled_only: bool = True
    modalities: tuple[Code, ...] = ()
    since: date | None = None
    until: date | None = None
    study_descriptions: tuple[Pattern, ...] = ()
    series_descriptions: tuple[Pattern, ...] = ()
    body_parts: tuple[Code, ...] = ()
    timeout_s: Annotated[float, Field(gt=0)] = 60.0
    page_size: Annotated[int, Field(ge=1, le=10_000)] = 500

    @field_validator("url")
    @classmethod
    def _is_plain(cls, url: str) -> str:
        parts = urlsplit(url)
        _check_no_user(parts)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(
                f"a DICOMweb address (scheme {parts.scheme!r}) has the form https://host[:port]/path"
            )
        return url.rstrip("/")

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme == "http" and not self.allow_http and not is_this_machine(parts.hostname):
            raise ValueError(
                "plain http to another machine shows patients' data on the network; use https, or set "
                "allow_http if the network itself is encrypted"
            )
        if self.since and self.until and self.since > self.until:
            raise ValueError(f"since {self.since} is after until {self.until}")
        return self


ImageSource = FolderSource | S3Source | DicomWebSource


def image_source(address: str, chosen: Mapping[str, Any] | None = None) -> ImageSource:
    """The source at an address: a folder, `s3://bucket/prefix`, or `https://archive/dicom-web`.

    `chosen`: further fields of that kind of source. Raises ConfigurationError, which shows neither the
    address nor a value: both may have been taken from a secret by mistake.
    """
    parts, fields = urlsplit(address), dict(chosen or {})
    try:
        if parts.scheme in ("http", "https"):
            return DicomWebSource.model_validate({**fields, "url": address})
        if parts.scheme == "s3":
            return S3Source.model_validate({**fields, **_bucket(parts)})
        if not parts.scheme and address:
            return FolderSource.model_validate({**fields, "path": address})
    except ValidationError as error:
        raise ConfigurationError(
            f"the source of images is not legal: {problems(error, 'source')}; correct it"
        ) from None
    raise ConfigurationError(
        f"a source of images with scheme {parts.scheme!r} is not legal; give a folder, s3://bucket/prefix, or "
        "https://archive/dicom-web"
    )


def _bucket(parts: SplitResult) -> dict[str, str]:
    _check_no_user(parts)
    return {"bucket": parts.netloc, "prefix": unquote(parts.path.removeprefix("/"))}


def _check_no_user(parts: SplitResult) -> None:
    if parts.username or parts.password:
        raise ConfigurationError(
            "the address of the images holds a user or a password, which would be seen in process lists and "
            "logs; put them into the file that WARDROUND_SOURCE_CREDENTIALS_FILE names, and the rest here"
        )
