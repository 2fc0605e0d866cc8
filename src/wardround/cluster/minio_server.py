"""MinIO's administration: users, their policies, and buckets that keep old versions.

Uses MinIO's admin API by `minio.MinioAdmin`, seen to work with RELEASE.2025-09-07. Every error is one of ours:
the client's own may quote what it sent, and what it sends holds secret keys.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import tenacity
import urllib3
from minio import Minio
from minio.commonconfig import ENABLED
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException, MinioException, S3Error, ServerError
from minio.minioadmin import MinioAdmin
from minio.versioningconfig import VersioningConfig

from wardround.cluster.credentials import Credential
from wardround.cluster.policies import Policy
from wardround.errors import WardroundError

T = TypeVar("T")

_TIMEOUT = urllib3.Timeout(connect=5, read=60)
_THERE = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


class AdminError(WardroundError):
    """The exchange did not do what its administrator asked for."""

    code = "exchange-admin"


class AdminUnavailableError(AdminError):
    """The exchange does not answer; trying later may help."""

    code = "exchange-unavailable"


@dataclass(frozen=True)
class User:
    """A user of the server, by access key; `policy` is '' where it has none."""

    access_key: str
    policy: str


class MinioServer:
    """A MinIO server, seen by its administrator.

    Every operation may be repeated, and is tried again for `patience_s` while the server does not answer.
    All raise AdminError.
    """

    def __init__(
        self, endpoint: str, root: Credential, *, ca_file: Path | None, region: str, patience_s: float
    ) -> None:
        address = urlsplit(endpoint)
        pool = urllib3.PoolManager(
            retries=False,
            timeout=_TIMEOUT,
            cert_reqs="CERT_REQUIRED",
            ca_certs=str(ca_file) if ca_file else None,  # None: the system's authorities
        )
        secure, keys = address.scheme == "https", (root.access_key, root.secret_key)
        self._admin = MinioAdmin(
            endpoint=address.netloc,
            credentials=StaticProvider(*keys),
            region=region,
            secure=secure,
            http_client=pool,
        )
        self._s3 = Minio(address.netloc, *keys, secure=secure, region=region, http_client=pool)
        self._region = region
        self._patience_s = patience_s

    def make_bucket(self, name: str) -> bool:
        """Makes a bucket unless it is there, and has it keep old versions; whether it was made."""
        made = self._do(f"make the bucket {name!r}", lambda: self._make_bucket(name))
        versions = VersioningConfig(ENABLED)
        self._do(f"keep old versions in {name!r}", lambda: self._s3.set_bucket_versioning(name, versions))
        return made

    def bucket_exists(self, name: str) -> bool:
        """Whether there is a bucket of this name."""
        return self._do(f"look for the bucket {name!r}", lambda: self._s3.bucket_exists(name))

    def set_policy(self, name: str, policy: Policy) -> None:
        """Makes the policy, or puts it in place of the one of this name."""
        self._do(f"set the policy {name!r}", lambda: self._admin.policy_add(name, policy=policy))

    def set_user(self, credential: Credential, policy: str) -> None:
        """Makes the user, or sets its secret; it then has this policy and no other."""
        name = credential.access_key
        self._do(f"set the user {name!r}", lambda: self._admin.user_add(name, credential.secret_key))
        self._do(f"give {name!r} its policy", lambda: self._admin.policy_set(policy, user=name))

    def users(self) -> tuple[User, ...]:
        """All users but the administrator, in order of access key."""
        found = json.loads(self._do("list the users", self._admin.user_list))
        return tuple(User(key, found[key].get("policyName", "")) for key in sorted(found))

    def remove_user(self, access_key: str) -> None:
        """Ends a user; open connections are refused at their next request."""
        self._do(f"remove the user {access_key!r}", lambda: self._admin.user_remove(access_key))

    def remove_policies(self, prefix: str, keep: Iterable[str]) -> None:
        """Removes the policies whose names start so, but `keep`. They must have no user any more."""
        found = json.loads(self._do("list the policies", self._admin.policy_list))
        for name in sorted(set(found) - set(keep)):
            if name.startswith(prefix):
                self._remove_policy(name)

    def _remove_policy(self, name: str) -> None:
        self._do(f"remove the policy {name!r}", lambda: self._admin.policy_remove(name))

    def _make_bucket(self, name: str) -> bool:
        try:
            self._s3.make_bucket(name, self._region)
        except S3Error as error:
            if error.code in _THERE:
                return False
            raise
        return True

    def _do(self, what: str, action: Callable[[], T]) -> T:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(AdminUnavailableError),
            stop=tenacity.stop_after_delay(self._patience_s),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=5),
            reraise=True,
        )
        return retrying(lambda: _translated(what, action))


def _translated(what: str, action: Callable[[], T]) -> T:
    try:
        return action()
    except (MinioAdminException, MinioException) as error:
        code, status = _code(error)
        kind = AdminUnavailableError if status >= 500 or code == "XMinioServerNotInitialized" else AdminError
        raise kind(f"the exchange did not {what} ({code}, HTTP {status})") from None
    except urllib3.exceptions.SSLError as error:
        reason = getattr(error.args[0], "verify_message", type(error).__name__)
        raise AdminError(
            f"the exchange's certificate is not trusted ({reason}); give its authority's certificate",
            code="untrusted-certificate",
        ) from None
    except urllib3.exceptions.HTTPError as error:
        raise AdminUnavailableError(
            f"the exchange did not {what}: it does not answer ({type(error).__name__}); check its address and state"
        ) from None


def _code(error: MinioAdminException | MinioException) -> tuple[str, int]:
    """The server's own word for an error, and the HTTP status; never its message."""
    if isinstance(error, S3Error):
        return error.code or "no code", int(error.response.status)
    if isinstance(error, ServerError):
        return "no code", error.status_code
    if not isinstance(error, MinioAdminException):
        return type(error).__name__, 0
    try:
        return str(json.loads(error._body)["Code"]), int(error._code)  # it has no public accessor
    except (ValueError, KeyError, TypeError):
        return "no code", int(error._code)
