"""HTTP to one archive, on our terms: no redirects, no proxies, no endless answers, nothing in logs.

Addresses of DICOMweb hold study identifiers, and the libraries below put addresses into their logs and errors.
So their loggers are off, and each of their errors becomes one of ours, `from None`.
"""

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from logging import CRITICAL, getLogger
from typing import Any
from urllib.parse import quote

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.response import BaseHTTPResponse

from wardround.imaging.sources.credentials import LoginAuth
from wardround.imaging.sources.errors import (
    AwayError,
    ParcelError,
    SourceDeniedError,
    SourceError,
    UntrustedSourceError,
    Why,
)
from wardround.imaging.sources.settings import DicomWebSource

BLOCK = 1 << 20
_CONNECT_SECONDS = 10.0
_SEARCH_BYTES = 256 << 20
_BUSY = (408, 425, 429, 502, 503, 504)
_LOGGERS = ("dicomweb_client", "urllib3", "requests")
# Legal in a query as they are (RFC 3986 section 3.4), but dicomweb-client encodes them, and there are archives
# that do not decode (Orthanc 1.10).
_AS_IT_IS = {quote(mark, safe=""): mark for mark in "*?/:"}


class Web:
    """The archive's HTTP service. Each thread has a session of its own."""

    def __init__(self, source: DicomWebSource, environment: Mapping[str, str] | None = None) -> None:
        self._source = source
        self._auth = LoginAuth(environment)
        self._local = threading.local()
        for name in _LOGGERS:
            getLogger(name).setLevel(CRITICAL + 1)

    @property
    def timeout(self) -> tuple[float, float]:
        """Seconds to connect, and between two signs of life."""
        return min(_CONNECT_SECONDS, self._source.timeout_s), self._source.timeout_s

    @property
    def session(self) -> requests.Session:
        """This thread's session."""
        if not hasattr(self._local, "session"):
            self._local.session = self._new_session()
        session: requests.Session = self._local.session
        return session

    def _new_session(self) -> requests.Session:
        session = _Session()
        # The environment could send patients' data through a proxy, or replace the CA file and the login.
        session.trust_env = False
        session.auth = self._auth
        session.verify = str(self._source.ca_file) if self._source.ca_file else True
        for scheme in ("https://", "http://"):
            session.mount(scheme, _Adapter())
        return session


class _Session(requests.Session):  # type: ignore[misc] # requests has no types
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None

    def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        for encoded, mark in _AS_IT_IS.items():
            url = url.replace(encoded, mark)
        return super().request(method, url, **kwargs)


class _Adapter(HTTPAdapter):  # type: ignore[misc] # requests has no types
    """Refuses redirects, and limits answers that are read in one piece."""

    def send(
        self, request: requests.PreparedRequest, stream: bool = False, **kwargs: Any
    ) -> requests.Response:
        response = super().send(request, stream=stream, **kwargs)
        if 300 <= response.status_code < 400:
            response.close()
            raise SourceError(
                "the archive answers with a redirect, which is not followed: the login and identifiers would "
                "go where nobody has said; give the address that it points to"
            )
        if not stream:
            response.raw = _Limited(response.raw, _SEARCH_BYTES)
        return response


class _Limited:
    """The body of an answer, which ends in an error when it is too long."""

    def __init__(self, raw: BaseHTTPResponse, limit: int) -> None:
        self._raw = raw
        self._left = limit

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
        for block in self._raw.stream(BLOCK, decode_content=True):
            self._left -= len(block)
            if self._left < 0:
                raise SourceError(
                    "the archive's answer to a search is too long; it may ignore the size of a page: select less, "
                    "for example by dates"
                )
            yield block

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turns errors of the libraries below into ours. HTTPError goes through: its status means different things."""
    try:
        yield
    except requests.HTTPError:
        raise
    except requests.exceptions.SSLError as error:
        if message := _distrust(error):
            raise UntrustedSourceError(
                f"the archive's certificate is not trusted ({message}); give its authority's certificate as ca_file"
            ) from None
        raise AwayError("the archive did not complete the encrypted connection") from None
    except (ValueError, RecursionError):  # requests' JSONDecodeError among them
        raise SourceError("the archive's answer to a search is not DICOM JSON; check the address") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise AwayError(
            f"the archive did not answer ({type(error).__name__}); check its address and state"
        ) from None


def failed_search(status: int) -> Exception:
    """What an HTTP status means for a search."""
    if status in (401, 403):
        return SourceDeniedError(
            f"the archive denied access (HTTP {status}); check the login in WARDROUND_SOURCE_CREDENTIALS_FILE, and "
            "what its user may do"
        )
    if status in _BUSY:
        return AwayError(f"the archive is busy or away (HTTP {status})")
    return SourceError(
        f"the archive did not accept a search (HTTP {status}); check its address and the selection"
    )


def failed_fetch(status: int) -> Exception:
    """What an HTTP status means for one study."""
    if status == 401:
        return failed_search(status)
    if status in _BUSY:
        return AwayError(f"the archive is busy or away (HTTP {status})")
    return ParcelError({403: Why.DENIED, 404: Why.MISSING, 410: Why.MISSING}.get(status, Why.ARCHIVE))


def _distrust(error: BaseException) -> str | None:
    """Why a certificate is not trusted; None if that is not what went wrong."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    inner = [getattr(error, "reason", None), *error.args]
    return next((found for each in inner if isinstance(each, Exception) and (found := _distrust(each))), None)
