"""Runs in a pod of a hospital's run, and tries what must not work from there. Knows nothing of the tests around it.

`python -c TEXT FINDINGS.json WISHES.json-text`: writes, for each thing tried, `allowed`, or how it was refused.
"""

import contextlib
import io
import json
import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minio import Minio
from minio.commonconfig import CopySource
from minio.error import S3Error
from urllib3 import PoolManager, Timeout


def client(address: str) -> Minio:
    """The exchange, with the hospital's own credential."""
    login = json.loads(Path(os.environ["WARDROUND_S3_CREDENTIALS_FILE"]).read_text())
    pool = PoolManager(ca_certs=os.environ.get("WARDROUND_S3_CA_FILE"), timeout=Timeout(10), retries=False)
    secure, host = address.startswith("https://"), address.split("://")[1]
    return Minio(
        endpoint=host,
        access_key=login["access_key"],
        secret_key=login["secret_key"],
        secure=secure,
        http_client=pool,
    )


def verbs(s3: Minio, own: str, other: str, key: str) -> dict[str, Callable[[], Any]]:
    """Every kind of request about somebody else's bucket."""

    def put(name: str) -> None:
        s3.put_object(bucket_name=other, object_name=name, data=io.BytesIO(b"x"), length=1)

    return {
        "list": lambda: list(s3.list_objects(bucket_name=other)),
        "head bucket": lambda: s3.bucket_exists(bucket_name=other) or _refuse("NoSuchBucket"),
        "get": lambda: s3.get_object(bucket_name=other, object_name=key).read(),
        "head": lambda: s3.stat_object(bucket_name=other, object_name=key),
        "put": lambda: put("from-outside"),
        "overwrite": lambda: put(key),
        "delete": lambda: s3.remove_object(bucket_name=other, object_name=key),
        "copy": lambda: s3.copy_object(
            bucket_name=own, object_name="stolen", source=CopySource(bucket_name=other, object_name=key)
        ),
        "multipart": lambda: s3._create_multipart_upload(bucket_name=other, object_name="parts", headers={}),
        "policy": lambda: s3.get_bucket_policy(bucket_name=other),
        "set policy": lambda: s3.set_bucket_policy(bucket_name=other, policy="{}"),
        "tags": lambda: s3.get_object_tags(bucket_name=other, object_name=key),
        "versions": lambda: s3.get_bucket_versioning(bucket_name=other),
        "remove bucket": lambda: s3.remove_bucket(bucket_name=other),
    }


def _refuse(code: str) -> None:
    raise RuntimeError(code)


def attempt(function: Callable[[], Any]) -> str:
    """`allowed`, or how it was refused."""
    try:
        function()
    except S3Error as error:
        return f"refused: {error.code}"
    except urllib.error.HTTPError as error:
        return f"refused: HTTP {error.code}"
    except Exception as error:  # whatever else keeps it from working
        return f"refused: {type(error).__name__} {str(error)[:120]}"
    return "allowed"


def connects(target: str) -> str:
    """Whether a TCP connection comes about."""
    host, _, port = target.rpartition(":")
    with contextlib.closing(socket.socket()) as probe:
        probe.settimeout(4)
        return attempt(lambda: probe.connect((host, int(port))))


def requested(url: str, method: str, login: str | None) -> str:
    """What a web server answers to a request with a JSON body."""
    request = urllib.request.Request(url, data=b'{"name": "intruder"}', method=method)
    request.add_header("Content-Type", "application/json")
    if login is not None:
        request.add_header("Authorization", login)
    return attempt(lambda: urllib.request.urlopen(request, timeout=10).read())


def main() -> None:
    """Tries everything that the wishes name."""
    out, wishes = Path(sys.argv[1]), json.loads(sys.argv[2])
    found: dict[str, str] = {}
    if wishes.get("exchange"):
        s3 = client(wishes["exchange"])
        for other, key in wishes["buckets"].items():
            for name, call in verbs(s3, wishes["own"], other, key).items():
                found[f"{name} {other}"] = attempt(call)
        listed = attempt(lambda: list(s3.list_objects(bucket_name=wishes["own"])))
        found["own bucket"] = listed
    for target in wishes.get("connect", []):
        found[f"connect {target}"] = connects(target)
    for url, method, login in wishes.get("request", []):
        found[f"{method} {url}"] = requested(url, method, login)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
