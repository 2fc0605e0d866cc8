"""The exchange on any S3 server.

Reading, listing and making buckets go through `minio`. Writing does not: `Minio.put_object` (7.2.20) has no
way to send `If-None-Match`, and reads a whole file into memory. So a write is one PUT of our own over the
same connection pool, signed by minio's signer. The condition is among the signed headers, so nobody on the
way can strip it.
"""

import hashlib
import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TypeVar
from urllib.parse import SplitResult, quote, urlencode
from xml.etree.ElementTree import ParseError

import tenacity
import urllib3
from minio import Minio
from minio.commonconfig import ENABLED
from minio.credentials.credentials import Credentials
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from minio.signer import sign_v4_s3
from minio.versioningconfig import VersioningConfig
from urllib3.response import BaseHTTPResponse

from wardround.exchange.answers import BoundedPool
from wardround.exchange.bucket_policy import nobody_deletes
from wardround.exchange.errors import (
    DeniedError,
    ExchangeError,
    ExistsError,
    MissingBucketError,
    MissingError,
    NoSpaceError,
    OversizedError,
    UnavailableError,
    UntrustedError,
)
from wardround.exchange.files import whole_file
from wardround.exchange.first_version import Rewritten, Versions, versions_of
from wardround.exchange.layout import check_bucket, check_folder, check_key, check_prefix
from wardround.exchange.listening import Listener
from wardround.exchange.pace import blocks
from wardround.exchange.settings import S3Settings
from wardround.exchange.store import bounded_keys, has_content
from wardround.exchange.waiting import Watch
from wardround.text import foreign

T = TypeVar("T")
_LOG = logging.getLogger(__name__)

_BLOCK = 1 << 20
_ATTEMPTS = 6
_TIMEOUT = urllib3.Timeout(connect=5, read=60)
# MinIO sends a sign of life this often, and its headers with the first of them: until then waiters poll.
_PING_SECONDS = 1
_LISTEN_TIMEOUT = urllib3.Timeout(connect=5, read=15 * _PING_SECONDS)
_UNSIGNED = "UNSIGNED-PAYLOAD"
_DENIED = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed")
_FULL = ("XMinioStorageFull", "InsufficientStorage", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded")
# ValueError: what minio raises for an answer in which a name, a number or a date is missing or none.
_FAILURES = (MinioException, urllib3.exceptions.HTTPError, ParseError, ValueError)
_BUSY = ("SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "ConditionalRequestConflict")


class S3Exchange:
    """The buckets of one server, seen by one identity.

    `stop`, once set, ends retries at once, so that a server that does not answer cannot hold a process.
    """

    def __init__(self, settings: S3Settings, stop: threading.Event | None = None) -> None:
        self._connection = _connect(settings, stop or threading.Event())
        self._stores: dict[str, S3Store] = {}

    def store(self, bucket: str) -> "S3Store":
        if bucket not in self._stores:
            self._stores[bucket] = S3Store(check_bucket(bucket), self._connection)
        return self._stores[bucket]

    def create_bucket(self, bucket: str) -> None:
        connection = self._connection
        make = connection.client.make_bucket
        try:
            connection.retry(bucket, None, lambda: make(check_bucket(bucket), connection.settings.region))
        except ExistsError:
            pass
        except DeniedError:
            # Where an operator sets buckets up, nobody else may, and nobody else has to.
            if not self._has(bucket):
                raise
            return
        self._guard(bucket)

    def _guard(self, bucket: str) -> None:
        """Has the bucket keep every version, and nobody delete one, where the server and this identity can."""
        client, retry = self._connection.client, self._connection.retry
        try:
            if retry(bucket, None, lambda: client.get_bucket_versioning(bucket)).status == ENABLED:
                return
            retry(bucket, None, lambda: client.set_bucket_versioning(bucket, VersioningConfig(ENABLED)))
            retry(bucket, None, lambda: client.set_bucket_policy(bucket, nobody_deletes(bucket)))
        except DeniedError:
            _LOG.debug("bucket %r is its operator's to set up", bucket)
        except ExchangeError as error:
            _LOG.warning(
                "bucket %r may not keep old versions, or let objects be deleted, so that whoever writes in it can "
                "replace what was there: %s",
                bucket,
                error,
            )

    def _has(self, bucket: str) -> bool:
        connection = self._connection
        try:
            return connection.retry(bucket, None, lambda: connection.client.bucket_exists(bucket))
        except DeniedError:
            return False

    def close(self) -> None:
        for store in self._stores.values():
            store.close()
        self._connection.pool.clear()


class S3Store:
    """One bucket; see `store.Store`."""

    def __init__(self, name: str, connection: "_Connection") -> None:
        self.name = name
        self._connection = connection
        self._listener = Listener(f"listen-{name}", self._listen)
        self._bucket_seen = False
        self._lists_versions = True
        self.rewritten = Rewritten(name)

    def get(self, key: str, *, limit: int) -> bytes:
        def read() -> bytes:
            with self._opened(key, limit) as response:
                return b"".join(blocks(response, key, limit))

        return self._try(key, read)

    def download(self, key: str, target: Path, *, limit: int) -> None:
        def copy() -> None:
            with self._opened(key, limit) as response, whole_file(target) as out:
                out.writelines(blocks(response, key, limit))

        self._try(key, copy)

    def sha256(self, key: str, *, limit: int) -> str:
        def read() -> str:
            digest = hashlib.sha256()
            with self._opened(key, limit) as response:
                for block in blocks(response, key, limit):
                    digest.update(block)
            return digest.hexdigest()

        return self._try(key, read)

    def size(self, key: str) -> int:
        check_key(key)
        size = self._try(key, lambda: self._connection.client.stat_object(self.name, key).size)
        return int(size or 0)

    def exists(self, key: str) -> bool:
        def look() -> bool:
            try:
                self._connection.client.stat_object(self.name, check_key(key))
            except S3Error as error:
                if _is_deleted(error) and self._versions(key).first is not None:
                    return True
                raise
            return True

        try:
            return self._try(key, look)
        except MissingError:
            return False

    def put_new(self, key: str, data: bytes) -> None:
        digest = hashlib.sha256(data).hexdigest()
        self._write(key, lambda: self._put(key, data, len(data), digest), lambda: digest, len(data))

    def upload_new(self, key: str, source: Path) -> None:
        size = source.stat().st_size

        def put() -> None:
            with source.open("rb") as file:
                self._put(key, file, size, _UNSIGNED)

        self._write(key, put, lambda: _file_sha256(source), size)

    def list(self, prefix: str) -> Iterator[str]:
        found = self._try(None, lambda: _keys(self._connection, self.name, check_prefix(prefix), True))
        return iter([key for key in found if not key.endswith("/")])

    def names(self, prefix: str) -> Iterator[str]:
        found = self._try(None, lambda: _keys(self._connection, self.name, check_folder(prefix), False))
        return iter([key.removeprefix(prefix) for key in found if key != prefix])

    def watch(self, prefix: str, bell: threading.Event) -> Watch:
        return self._listener.watch(prefix, bell)

    def close(self) -> None:
        """Ends the listener, if one was started."""
        self._listener.close()

    def _try(self, key: str | None, action: Callable[[], T]) -> T:
        try:
            result = self._connection.retry(self.name, key, action)
        except MissingError:
            # A HEAD's 404 has no body, and does not say which of the two is missing.
            if not self._bucket_seen:
                self._connection.check_bucket(self.name)
                self._bucket_seen = True
            raise
        self._bucket_seen = True
        return result

    @contextmanager
    def _opened(self, key: str, limit: int) -> Iterator[BaseHTTPResponse]:
        """The answer to a GET of the first version, nothing of which was read yet; refused here when it is too long."""
        response = self._first(check_key(key))
        try:
            if (size := int(response.headers.get("content-length", 0))) > limit:
                raise OversizedError(key, size, limit)
            yield response
        except BaseException:
            response.close()  # with the rest of a body in it, the connection is of no more use
            raise
        finally:
            response.release_conn()

    def _first(self, key: str) -> BaseHTTPResponse:
        """The answer to a GET of what was written first under `key`."""
        client = self._connection.client
        try:
            newest = client.get_object(self.name, key)
        except S3Error as error:
            if not _is_deleted(error) or (first := self._versions(key).first) is None:
                raise
            return client.get_object(self.name, key, version_id=first)
        version = newest.headers.get("x-amz-version-id")
        try:
            first = self._versions(key).first if version and self._lists_versions else None
        except BaseException:
            newest.close()
            newest.release_conn()
            raise
        if first in (version, None):
            return newest
        newest.close()
        newest.release_conn()
        return client.get_object(self.name, key, version_id=first)

    def _versions(self, key: str) -> Versions:
        """What is under `key`; nothing is known of it where this identity may not list versions."""
        listing = self._connection.client.list_objects(
            self.name, prefix=key, recursive=True, include_version=True
        )
        try:
            with self._connection.pool.listing():
                found = versions_of(key, listing)
        except S3Error as error:
            if error.code not in _DENIED:
                raise
            self._lists_versions = False
            _LOG.warning(
                "this identity may not list the versions in bucket %r: what is replaced there is not noticed; allow it "
                "s3:ListBucketVersions and s3:GetObjectVersion",
                self.name,
            )
            return Versions(None, 0, 0)
        self.rewritten.note(key, found)
        return found

    def _write(self, key: str, put: Callable[[], None], digest: Callable[[], str], size: int) -> None:
        """Runs `put`; our own first try may have succeeded without our seeing the answer."""
        check_key(key)
        tries = 0

        def once() -> None:
            nonlocal tries
            tries += 1
            put()

        try:
            self._try(key, once)
        except ExistsError:
            if tries == 1 or not has_content(self, key, size, digest):
                raise

    def _put(self, key: str, body: bytes | BinaryIO, size: int, sha256: str) -> None:
        headers = {"Content-Length": str(size), "If-None-Match": "*"}
        path = f"/{self.name}/{quote(key)}"
        response = self._connection.request("PUT", path, headers=headers, body=body, sha256=sha256)
        if response.status != 200:
            raise _failure(response)

    def _listen(self) -> BaseHTTPResponse | None:
        """An endless answer with a line per write; None where the server has no such thing.

        Not `Minio.listen_bucket_notification`: other servers take its query for a listing and answer with
        XML, upon which it asks again, for ever and at full speed.
        """
        query = {"events": "s3:ObjectCreated:*", "ping": str(_PING_SECONDS), "prefix": "", "suffix": ""}
        response = self._connection.request("GET", f"/{self.name}", query=query, stream=True)
        if response.status == 200 and "event-stream" in response.headers.get("content-type", ""):
            return response
        response.close()
        if response.status >= 500:
            raise urllib3.exceptions.HTTPError(f"HTTP status {response.status}")
        return None


def _keys(connection: "_Connection", bucket: str, prefix: str, recursive: bool) -> list[str]:
    """Keys under a prefix, sorted; where it is not recursive, folders with their slash."""
    found = connection.client.list_objects(bucket, prefix=prefix, recursive=recursive)
    with connection.pool.listing():
        return bounded_keys((entry.object_name for entry in found if entry.object_name), bucket, prefix)


def _is_deleted(error: S3Error) -> bool:
    """Whether a key is missing because it was deleted in a bucket that keeps versions."""
    return error.response.status == 404 and error.response.headers.get("x-amz-delete-marker") == "true"


@dataclass(frozen=True)
class S3Entry:
    """An object in a listing."""

    key: str = field(repr=False)
    size: int
    etag: str


class S3Reader:
    """Somebody else's bucket, read only. Its keys are any that S3 allows, and no error shows one."""

    def __init__(self, settings: S3Settings, bucket: str) -> None:
        self._bucket = bucket
        self._connection = _connect(settings, threading.Event())

    def entries(self, prefix: str) -> Iterator[S3Entry]:
        """The objects under a prefix, page by page as they are asked for. A failed page is not repeated."""
        with self._named():
            for found in self._connection.client.list_objects(self._bucket, prefix=prefix, recursive=True):
                if not found.is_dir:
                    yield S3Entry(found.object_name or "", found.size or 0, found.etag or "")

    def blocks(self, key: str, limit: int) -> Iterator[bytes]:
        """An object's bytes. Raises MissingError, OversizedError."""
        with self._named():
            response = self._connection.client.get_object(self._bucket, key)
            try:
                yield from blocks(response, "of the bucket", limit)
            except BaseException:
                response.close()
                raise
            finally:
                response.release_conn()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except _FAILURES as error:
            raise _translate(error, self._bucket, None) from None


@dataclass(frozen=True)
class _Connection:
    settings: S3Settings
    client: Minio
    pool: BoundedPool
    stop: threading.Event = field(default_factory=threading.Event)

    def retry(self, bucket: str, key: str | None, action: Callable[[], T]) -> T:
        """`action()`, tried again while the server does not answer; every failure as one of our errors."""

        def attempt() -> T:
            try:
                return action()
            except _FAILURES as error:
                raise _translate(error, bucket, key) from error

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(UnavailableError),
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(_ATTEMPTS), tenacity.stop_when_event_set(self.stop)
            ),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=3),
            sleep=tenacity.sleep_using_event(self.stop),
            reraise=True,
        )
        return retrying(attempt)

    def check_bucket(self, bucket: str) -> None:
        """Raises MissingBucketError if the server says that there is no such bucket."""
        try:
            there = self.retry(bucket, None, lambda: self.client.bucket_exists(bucket))
        except DeniedError:
            return  # not allowed to know: then the key is what is missing
        if not there:
            raise _no_bucket(bucket)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: bytes | BinaryIO | None = None,
        sha256: str = _UNSIGNED,
        stream: bool = False,
    ) -> BaseHTTPResponse:
        """A request signed with AWS Signature Version 4, whatever its answer is. `path` is quoted."""
        now = datetime.now(UTC)
        scheme = "https" if self.settings.secure else "http"
        text = urlencode(sorted((query or {}).items()), quote_via=quote)
        url = SplitResult(scheme, self.settings.host, path, text, "")
        plain: dict[str, str | list[str] | tuple[str]] = {
            **(headers or {}),
            "Host": self.settings.host,
            "x-amz-content-sha256": sha256,
            "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ"),
        }
        signed = sign_v4_s3(
            method=method,
            url=url,
            region=self.settings.region,
            headers=plain,
            credentials=Credentials(self.settings.access_key, self.settings.secret_key.get_secret_value()),
            content_sha256=sha256,
            date=now,
        )
        timeout = _LISTEN_TIMEOUT if stream else _TIMEOUT
        return self.pool.urlopen(
            method, url.geturl(), body=body, headers=signed, preload_content=not stream, timeout=timeout
        )


def _connect(settings: S3Settings, stop: threading.Event) -> _Connection:
    # Retries are ours (`_Connection.retry`): urllib3's would repeat a write without looking at what it did.
    pool = BoundedPool(
        maxsize=8,
        retries=False,
        timeout=_TIMEOUT,
        blocksize=_BLOCK,
        cert_reqs="CERT_REQUIRED",
        ca_certs=str(settings.ca_file) if settings.ca_file else None,  # None: the system's authorities
    )
    client = Minio(
        settings.host,
        access_key=settings.access_key,
        secret_key=settings.secret_key.get_secret_value(),
        secure=settings.secure,
        region=settings.region,  # known, so that minio never asks for it
        http_client=pool,
    )
    client.disable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
    return _Connection(settings, client, pool, stop)


def _failure(response: BaseHTTPResponse) -> MinioException:
    """The error that a finished answer stands for, as minio would have raised it."""
    if response.data and "xml" in response.headers.get("content-type", ""):
        return S3Error.fromxml(response)
    return ServerError(f"HTTP status {response.status}", response.status)


def _translate(error: Exception, bucket: str, key: str | None) -> Exception:
    what = f"object {key!r} of bucket {bucket!r}" if key else f"bucket {bucket!r}"
    if not isinstance(error, S3Error):
        return _translate_status(error, what)
    code, status = foreign(error.code or "", 60), error.response.status
    if code == "NoSuchBucket":
        return _no_bucket(bucket)
    if status == 412 or code in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
        return ExistsError(f"{what} is there already")
    if code in _FULL:
        return NoSpaceError(f"the exchange has no space left for {what}; its operator must make some")
    if code in _BUSY or status >= 500:
        return UnavailableError(f"the exchange failed on {what} ({code}, HTTP {status}); try again later")
    if code in _DENIED or status in (401, 403):
        return DeniedError(
            f"the exchange denied access to {what} ({code}); check the credentials, this machine's clock, "
            "and the policy of this identity"
        )
    if status == 404:
        return MissingError(f"there is no {what}")
    return ExchangeError(f"the exchange did not accept the request for {what} ({code}, HTTP {status})")


def _translate_status(error: Exception, what: str) -> Exception:
    """Errors without an S3 code: of the network, of a proxy, or of a server that is starting or ending."""
    status = error.status_code if isinstance(error, ServerError) else None
    if isinstance(error, InvalidResponseError):
        status = error._code  # it has no public accessor
    if status in (401, 403):
        return DeniedError(f"something before the exchange denied access to {what} (HTTP {status})")
    if status == 412:
        return ExistsError(f"{what} is there already")
    if error.args and isinstance(error.args[0], ssl.SSLCertVerificationError):
        return UntrustedError(
            f"the exchange's certificate is not trusted ({error.args[0].verify_message}); give its CA by "
            "WARDROUND_S3_CA_FILE"
        )
    reason = f"HTTP {status}" if status else type(error).__name__
    return UnavailableError(f"the exchange did not answer for {what} ({reason}); check its address and state")


def _no_bucket(bucket: str) -> MissingBucketError:
    return MissingBucketError(
        f"the exchange has no bucket {bucket!r}; set the federation up first, or correct its name"
    )


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
