"""Keyed hashes: which split a patient belongs to, and stand-ins for identifiers in working files."""

import hashlib
import hmac
from collections.abc import Sequence
from itertools import accumulate

from wardround.imaging.settings import SPLITS


def keyed(key: bytes, domain: str, value: str) -> str:
    """HMAC-SHA-256 (RFC 2104) of a value within a domain, as 64 hex digits."""
    return hmac.new(key, f"wardround/{domain}/{value}".encode(), hashlib.sha256).hexdigest()


def split_of(patient: str, key: bytes, fractions: Sequence[float]) -> str:
    """The split of a patient: the keyed hash as a number in [0, 1) against the cumulated fractions.

    It depends on the patient and the key alone, so a patient never straddles splits, not even when more
    images arrive later.
    """
    place = int(keyed(key, "split", patient)[:13], 16) / 16**13
    for name, bound in zip(SPLITS, accumulate(fractions), strict=True):
        if place < bound:
            return name
    return next(name for name, share in reversed(list(zip(SPLITS, fractions, strict=True))) if share > 0)
