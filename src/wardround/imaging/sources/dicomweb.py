"""A hospital's archive through DICOMweb: QIDO-RS to find studies, WADO-RS to fetch them (PS3.18 section 10.4).

A parcel is a study. It is fetched series by series, as stored (no transcoding), straight to disk.
"""

import re
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import requests

from wardround.imaging.sources.archive import Parcel
from wardround.imaging.sources.errors import (
    AwayError,
    ParcelError,
    SourceDeniedError,
    SourceError,
    Why,
    disk_errors_named,
)
from wardround.imaging.sources.multipart import boundary_of, parts
from wardround.imaging.sources.patience import Patience
from wardround.imaging.sources.search import Record, Search, pages, value
from wardround.imaging.sources.selection import Query, Selection
from wardround.imaging.sources.settings import DicomWebSource
from wardround.imaging.sources.threads import in_parallel
from wardround.imaging.sources.web import BLOCK, Web, failed_fetch, told_plainly
from wardround.imaging.sources.writing import stop_if_set, write_file
from wardround.imaging.splits import keyed

# `*` asks for an instance as it is stored; the default is uncompressed (PS3.18 section 8.7.3.5.2).
_ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
# Identifiers become parts of addresses. Real ones are not always legal (PS3.5 section 9), but never look like this.
_UID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}", re.ASCII)
_KEYS = {"studies": "StudyInstanceUID", "series": "SeriesInstanceUID", "instances": "SOPInstanceUID"}
_MAX_SERIES = 10_000
_MAX_FILES = 100_000


class DicomWebArchive:
    """The studies of a selection; see `archive.Archive`. `key`: secret bytes for the names on disk."""

    def __init__(
        self,
        source: DicomWebSource,
        selection: Selection,
        key: bytes,
        patience: Patience,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._source = source
        self._selection = selection
        self._key = key
        self._patience = patience
        self._web = Web(source, environment)
        self._search = Search(source, self._web)

    def find(self, stop: threading.Event) -> list[Parcel]:
        found: dict[str, Parcel] = {}

        def keep(parcels: list[Parcel]) -> None:
            found.update((parcel.name, parcel) for parcel in parcels)

        # A wrong address or login shows at the first search, not at each of thousands.
        in_parallel(self._patience.sit_out, [self.check], 1, stop, lambda _: None)
        in_parallel(self._find, self._selection.studies(), self._source.connections, stop, keep)
        return sorted(found.values(), key=lambda parcel: parcel.name)

    def fetch(self, parcel: Parcel, target: Path, stop: threading.Event) -> None:
        if not _UID.fullmatch(parcel.address):
            raise ParcelError(Why.IDENTIFIER)
        with disk_errors_named(target):
            target.mkdir(exist_ok=True)
            for record in self._series(parcel.address, stop):
                self._fetch_series(parcel.address, record, target, stop)

    def check(self) -> None:
        self._search.page("studies", {"StudyDate": "19000101"})

    def _find(self, query: Query, stop: threading.Event) -> list[Parcel]:
        if self._selection.identifiers is None:
            return self._matching(query, stop)
        try:
            with _one_failing_alone():
                return self._matching(query, stop)
        except ParcelError as error:
            _, identifier = query.filters[0]
            return [Parcel(keyed(self._key, "label", identifier)[:32], identifier, error.why)]

    def _matching(self, query: Query, stop: threading.Event) -> list[Parcel]:
        records = self._records(query, None, stop)
        return [self._parcel(record) for record in records if self._selection.takes_study(record, query)]

    def _parcel(self, record: Record) -> Parcel:
        study = value(record, "StudyInstanceUID")
        # A study to which images were added meanwhile is another parcel.
        version = value(record, "NumberOfStudyRelatedInstances")
        return Parcel(keyed(self._key, "study", f"{study}/{version}")[:32], study)

    def _records(self, query: Query, study: str | None, stop: threading.Event) -> Iterator[Record]:
        fields = self._selection.fields if study is None else ("SeriesDescription", "BodyPartExamined")

        def ask(offset: int, limit: int) -> list[Record]:
            stop_if_set(stop)
            page = partial(
                self._search.page, query.level, query.sent, fields, study, offset=offset, limit=limit
            )
            return self._patience.sit_out(page, stop) if study is None else page()

        return pages(ask, self._source.page_size, lambda record: value(record, _KEYS[query.level]))

    def _series(self, study: str, stop: threading.Event) -> list[Record]:
        found: dict[str, Record] = {}
        with _one_failing_alone():
            for query in self._selection.series():
                for record in self._records(query, study, stop):
                    if self._selection.takes_series(record):
                        found[value(record, "SeriesInstanceUID")] = record
            # A study that is gone has no series, and neither has one of which none is wanted.
            if not found and not self._search.page("studies", {"StudyInstanceUID": study}):
                raise ParcelError(Why.MISSING)
        if len(found) > _MAX_SERIES:
            raise ParcelError(Why.TOO_LARGE)
        return list(found.values())

    def _fetch_series(self, study: str, record: Record, target: Path, stop: threading.Event) -> None:
        series = value(record, "SeriesInstanceUID")
        folder = target / keyed(self._key, "series", series)[:32]
        if folder.is_dir():  # an earlier try came this far
            return
        if not _UID.fullmatch(series):
            raise ParcelError(Why.IDENTIFIER)
        part = target.parent / f"{target.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        count = self._retrieve(f"{self._source.url}/studies/{study}/series/{series}", part, stop)
        promised = value(record, "NumberOfSeriesRelatedInstances")
        if promised.isdecimal() and count < int(promised):
            raise ParcelError(Why.INCOMPLETE)
        part.rename(folder)

    def _retrieve(self, url: str, folder: Path, stop: threading.Event) -> int:
        count = 0
        with self._opened(url) as response:
            for body in _bodies(response):
                write_file(folder, body, self._key, self._source.max_file_bytes, stop)
                count += 1
                if count > _MAX_FILES:
                    raise ParcelError(Why.TOO_LARGE)
        return count

    @contextmanager
    def _opened(self, url: str) -> Iterator[requests.Response]:
        with told_plainly():
            response = self._web.session.get(
                url, headers={"Accept": _ACCEPT}, stream=True, timeout=self._web.timeout
            )
            with response:
                if response.status_code != 200:
                    raise failed_fetch(response.status_code)
                yield response


@contextmanager
def _one_failing_alone() -> Iterator[None]:
    """A search for one label or in one study that the archive fails on does not stop the others."""
    try:
        yield
    except (AwayError, SourceDeniedError):
        raise
    except SourceError:
        raise ParcelError(Why.ARCHIVE) from None


def _bodies(response: requests.Response) -> Iterator[Iterator[bytes]]:
    content_type = response.headers.get("Content-Type", "")
    blocks = response.iter_content(BLOCK)
    if boundary := boundary_of(content_type):
        yield from parts(blocks, boundary)
    elif content_type.startswith("application/dicom"):  # some servers do not wrap a single instance
        yield blocks
    else:
        raise ParcelError(Why.MALFORMED)


def selection_of(
    source: DicomWebSource, modalities: tuple[str, ...], labelled: Iterable[tuple[str, str]]
) -> Selection:
    """The selection that a source's settings and a label table's identifiers make."""
    identifiers = tuple(sorted(labelled)) if source.labelled_only else None
    return Selection(source, source.modalities or modalities, identifiers)
