"""An S3 bucket of DICOM files: the hospital's own, or what its archive exports. A parcel is an object."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from wardround.errors import ConfigurationError
from wardround.exchange.errors import (
    DeniedError,
    ExchangeError,
    MissingBucketError,
    MissingError,
    OversizedError,
    UnavailableError,
    UntrustedError,
)
from wardround.exchange.s3 import S3Entry, S3Reader
from wardround.exchange.settings import from_environment
from wardround.imaging.sources.archive import Parcel
from wardround.imaging.sources.credentials import PREFIX
from wardround.imaging.sources.errors import (
    AwayError,
    ParcelError,
    SourceDeniedError,
    SourceError,
    UntrustedSourceError,
    Why,
    disk_errors_named,
)
from wardround.imaging.sources.patience import Patience
from wardround.imaging.sources.settings import S3Source
from wardround.imaging.sources.writing import stop_if_set
from wardround.imaging.splits import keyed


class S3Archive:
    """The objects under a prefix; see `archive.Archive`. `key`: secret bytes for the names on disk."""

    def __init__(
        self,
        source: S3Source,
        key: bytes,
        patience: Patience,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._source = source
        self._key = key
        self._patience = patience
        chosen = {"REGION": source.region, "CA_FILE": source.ca_file, "ALLOW_HTTP": source.allow_http}
        given = {f"{PREFIX}{name}": str(value) for name, value in chosen.items() if value}
        variables = {**(os.environ if environment is None else environment), **given}
        self._reader = S3Reader(from_environment(source.endpoint, variables, PREFIX), source.bucket)
        self._sizes: dict[str, int] = {}

    def find(self, stop: threading.Event) -> list[Parcel]:
        def entries() -> list[S3Entry]:
            found = []
            with _told_plainly():
                for entry in self._reader.entries(self._source.prefix):
                    stop_if_set(stop)
                    found.append(entry)
            return found

        found = self._patience.sit_out(entries, stop)
        self._sizes = {entry.key: entry.size for entry in found}
        return sorted(map(self._parcel, found), key=lambda parcel: parcel.name)

    def fetch(self, parcel: Parcel, target: Path, stop: threading.Event) -> None:
        limit = self._source.max_file_bytes
        if self._sizes.get(parcel.address, 0) > limit:
            raise ParcelError(Why.TOO_LARGE)
        with disk_errors_named(target.parent), _told_plainly(), target.open("wb") as stream:
            for block in self._reader.blocks(parcel.address, limit):
                stop_if_set(stop)
                stream.write(block)

    def check(self) -> None:
        with _told_plainly():
            next(self._reader.entries(self._source.prefix), None)

    def _parcel(self, entry: S3Entry) -> Parcel:
        # An object that was replaced is another parcel.
        version = f"{entry.key}\n{entry.etag}\n{entry.size}"
        return Parcel(keyed(self._key, "object", version)[:32], entry.key)


@contextmanager
def _told_plainly() -> Iterator[None]:
    """The exchange's errors in words for a source: without keys, which may hold names, and with our variables."""
    try:
        yield
    except MissingBucketError:
        raise ConfigurationError("the source has no such bucket; correct s3://bucket/prefix") from None
    except DeniedError:
        raise SourceDeniedError(
            f"the source denied access; check the identity in {PREFIX}CREDENTIALS_FILE, its policy, and the clock"
        ) from None
    except UntrustedError:
        raise UntrustedSourceError(
            "the source's certificate is not trusted; give its authority's certificate as ca_file"
        ) from None
    except MissingError:
        raise ParcelError(Why.MISSING) from None
    except OversizedError:
        raise ParcelError(Why.TOO_LARGE) from None
    except UnavailableError:
        raise AwayError("the source did not answer; check its endpoint and state") from None
    except ExchangeError as error:
        if error.code == "disk-full":
            raise
        raise SourceError(f"the source did not accept a request ({error.code})") from None
