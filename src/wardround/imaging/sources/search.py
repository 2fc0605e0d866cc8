"""Finding studies and series: QIDO-RS (PS3.18 section 10.6), page by page, on servers that do less than they should.

What a server ignores is checked again here, as far as its answer tells.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import requests
from dicomweb_client import DICOMwebClient

from wardround.imaging.sources.errors import SourceError
from wardround.imaging.sources.settings import DicomWebSource
from wardround.imaging.sources.web import Web, failed_search, told_plainly

Record = Mapping[str, Any]
Level = Literal["studies", "series", "instances"]
Ask = Callable[[int, int], list[Record]]

MAX_STUDIES = 5_000_000


class Search:
    """Searches at one archive."""

    def __init__(self, source: DicomWebSource, web: Web) -> None:
        self._source = source
        self._web = web

    def page(
        self,
        level: Level,
        filters: Mapping[str, str],
        fields: tuple[str, ...] = (),
        study: str | None = None,
        *,
        offset: int = 0,
        limit: int = 1,
    ) -> list[Record]:
        """One page of records at a level, of one study if given; `fields` are asked for beyond the usual ones.

        Raises AwayError, SourceDeniedError, UntrustedSourceError, SourceError.
        """
        asked: dict[str, Any] = {"limit": limit, "search_filters": dict(filters)}
        if offset:
            asked["offset"] = offset
        status = 0
        # A server without `includefield` may refuse a search that has it.
        for more in [{"fields": fields}, {}] if fields else [{}]:
            try:
                return self._ask(level, study, asked | more)
            except requests.HTTPError as error:
                status = error.response.status_code
            if status != 400:
                break
        raise failed_search(status)

    def _ask(self, level: Level, study: str | None, asked: dict[str, Any]) -> list[Record]:
        client = DICOMwebClient(
            self._source.url, session=self._web.session, timeout=self._web.timeout, permissive_uid=True
        )
        client.set_http_retry_params(retry=False)  # ours can be stopped, and do not sleep in a request
        ask: Callable[..., Any] = getattr(client, f"search_for_{level}")
        with told_plainly():
            found = ask(study, **asked) if study else ask(**asked)
        if not isinstance(found, list) or not all(isinstance(record, dict) for record in found):
            raise SourceError("the archive's answer to a search is not DICOM JSON; check the address")
        return found


def pages(ask: Ask, page_size: int, key: Callable[[Record], str]) -> Iterator[Record]:
    """All records, each key once, of `ask(offset, limit)`.

    A short page is not taken for the last one, because servers have limits of their own; a page with nothing new
    is. Raises SourceError if the server repeats its first page, or never ends.
    """
    seen: set[str] = set()
    offset, last = 0, 0
    while page := ask(offset, page_size) or _asked_again(ask, offset, last, page_size):
        fresh = {key(record): record for record in page if key(record) not in seen}
        if not fresh and len(page) == offset == page_size:
            raise SourceError(
                "the archive answers every page with the first one; select less, or raise page_size"
            )
        if not fresh:
            return
        yield from fresh.values()
        seen |= fresh.keys()
        offset, last = offset + len(page), len(page)
        if len(page) > page_size:  # all at once, whatever was asked for
            return
        if len(seen) > MAX_STUDIES:
            raise SourceError(f"the archive names more than {MAX_STUDIES} studies; select less")


def _asked_again(ask: Ask, offset: int, last: int, page_size: int) -> list[Record]:
    """An empty page after a full one, asked for anew with a limit that includes what is skipped.

    Orthanc 1.10 counts skipped records against the limit where it has no index for a filter, as for
    ModalitiesInStudy: all pages but the first are empty.
    """
    return ask(offset, offset + page_size) if last == page_size else []


def values(record: Record, keyword: str) -> tuple[str, ...] | None:
    """An element's values in DICOM JSON (PS3.18 annex F) as stripped text; None if the record does not have it."""
    element = record.get(DICOMwebClient.lookup_tag(keyword))
    if not isinstance(element, Mapping):
        return None
    found = element.get("Value", [])
    return tuple(str(value).strip() for value in found) if isinstance(found, list) else ()


def value(record: Record, keyword: str) -> str:
    """The first value, "" if there is none."""
    return next(iter(values(record, keyword) or ()), "")
