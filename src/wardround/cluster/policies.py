"""Who may do what in the exchange, as S3 policies.

    identity      federation's bucket   a site's bucket           coordinator's bucket   artifacts' bucket
    a site        read, list            its own: read, list,      nothing                nothing
                                        write
    coordinator   read, list, write     read, list                read, list, write      nothing
    mlflow        nothing               nothing                   nothing                everything but the
                                                                                         bucket itself

Nobody deletes, and nobody changes a bucket. MinIO's policies cannot tell a write with `If-None-Match` from one without
it (Amazon's S3 has a condition key for that, `s3:if-none-match`), so an identity that leaves it out writes a second
version. It neither destroys nor hides the first: the buckets keep versions, and readers take the first.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from wardround.exchange.layout import Layout

Policy = dict[str, Any]

_LOOK = ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketVersions")
_READ = ("s3:GetObject", "s3:GetObjectVersion")
_LISTEN = "s3:ListenBucketNotification"
# Without this, MinIO lets everybody change their own secret key, and make further keys for themselves that
# outlive a rotation.
_NO_ADMIN = {"Effect": "Deny", "Action": ["admin:*"]}
_ARTIFACTS = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
)


def site_policy(layout: Layout, site: str, *, minio: bool = True) -> Policy:
    """A hospital: reads what the coordinator publishes, writes what it sends itself.

    `minio` adds the actions that only MinIO knows; other servers refuse a policy with them.
    """
    return _policy(
        _bucket([layout.federation, layout.site(site)], listen=minio),
        _objects([layout.federation, layout.site(site)], _READ),
        _objects([layout.site(site)], ["s3:PutObject"]),
        minio=minio,
    )


def coordinator_policy(layout: Layout, sites: Sequence[str], *, minio: bool = True) -> Policy:
    """The coordinator: reads all of the federation's buckets, and writes those that are not a hospital's."""
    own = [layout.federation, layout.coordinator]
    every = [*own, *(layout.site(site) for site in sites)]
    return _policy(
        _bucket(every, listen=minio),
        _objects(every, _READ),
        _objects(own, ["s3:PutObject"]),
        minio=minio,
    )


def artifacts_policy(bucket: str, *, minio: bool = True) -> Policy:
    """MLflow: all of its own bucket's objects."""
    return _policy(
        _bucket([bucket], more=["s3:ListBucketMultipartUploads"]),
        _objects([bucket], _ARTIFACTS),
        minio=minio,
    )


def _bucket(names: Iterable[str], *, listen: bool = False, more: Iterable[str] = ()) -> Policy:
    actions = [*_LOOK, *more, *([_LISTEN] if listen else [])]
    return {"Effect": "Allow", "Action": actions, "Resource": [f"arn:aws:s3:::{name}" for name in names]}


def _objects(names: Iterable[str], actions: Iterable[str]) -> Policy:
    resources = [f"arn:aws:s3:::{name}/*" for name in names]
    return {"Effect": "Allow", "Action": list(actions), "Resource": resources}


def _policy(*statements: Policy, minio: bool) -> Policy:
    return {"Version": "2012-10-17", "Statement": [*statements, *([_NO_ADMIN] if minio else [])]}
