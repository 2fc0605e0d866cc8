"""The policy that a bucket of a federation gets from whoever makes it: nobody deletes, nor stops it keeping versions.

A right to write brings the right to delete on some servers; an explicit Deny goes before every right. It binds the
bucket's owner too, who can still take the policy away.
"""

import json

_FORBIDDEN = (
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration",
)


def nobody_deletes(bucket: str) -> str:
    """The policy, as JSON."""
    deny = {
        "Sid": "WriteOnce",
        "Effect": "Deny",
        "Principal": "*",
        "Action": list(_FORBIDDEN),
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [deny]})
