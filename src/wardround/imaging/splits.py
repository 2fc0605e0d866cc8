"""Which split a patient belongs to, and keyed hashes that stand in for identifiers in working files.

Everything here is pure; what was assigned before is kept by `assignments`. The reasons are in
docs/decisions/0006-splits-that-stay.md.
"""

import hmac
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from wardround.imaging.settings import SPLITS


def keyed(key: bytes, domain: str, value: str) -> str:
    """HMAC-SHA-256 (RFC 2104) of a value within a domain, as 64 hex digits."""
    return hmac.digest(key, f"wardround/{domain}/{value}".encode(), "sha256").hex()


def strata(labels: Mapping[str, Collection[int]]) -> dict[str, int]:
    """Each patient's stratum: of the class indices of its images the one that fewest patients have.

    Of equally rare ones the lowest. How many images a patient has makes no difference.
    """
    patients = Counter(label for found in labels.values() for label in set(found))
    return {
        patient: min(found, key=lambda label: (patients[label], label)) for patient, found in labels.items()
    }


def assign(
    stratum_of: Mapping[str, int], known: Mapping[str, str], fractions: Sequence[float]
) -> dict[str, str]:
    """Splits for the patients (keyed hashes) of `stratum_of` that are not in `known`; those never move.

    In each stratum the newcomers bring the patients at hand as near to `fractions` as whole patients allow; who
    of them goes where follows from the order of their hashes. The order of the mappings makes no difference.
    """
    members: dict[int, list[str]] = defaultdict(list)
    for patient, stratum in stratum_of.items():
        members[stratum].append(patient)
    placed: dict[str, str] = {}
    for patients in members.values():
        present = Counter(known[patient] for patient in patients if patient in known)
        newcomers = sorted(patient for patient in patients if patient not in known)
        places = quotas(len(newcomers), present, fractions)
        seats = [split for split in SPLITS for _ in range(places[split])]
        placed |= zip(newcomers, seats, strict=True)
    return placed


def quotas(newcomers: int, present: Mapping[str, int], fractions: Sequence[float]) -> dict[str, int]:
    """How many newcomers of a stratum each split gets, beside those `present` in it.

    A split that has nobody comes first: without a patient of a class no figure about that class is defined. Then
    the split that lacks most. A split whose fraction is 0 gets nobody.
    """
    shares = {split: share for split, share in zip(SPLITS, fractions, strict=True) if share > 0}
    total = newcomers + sum(present.get(split, 0) for split in shares)
    have = {split: present.get(split, 0) for split in shares}
    for _ in range(newcomers):
        neediest = max(shares, key=lambda split: (have[split] == 0, shares[split] * total - have[split]))
        have[neediest] += 1
    return {split: have.get(split, 0) - present.get(split, 0) if split in shares else 0 for split in SPLITS}
