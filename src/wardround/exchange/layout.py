"""The names of the exchange: buckets, keys, and which names are legal.

    wardround-<federation>              the coordinator writes, every site reads
    wardround-<federation>-<site>       that site writes, the coordinator reads
    wardround-<federation>-coordinator  the coordinator's own

Names become parts of bucket names, keys, paths and policies, so they are DNS labels (RFC 1035 section
2.3.1, lower case, a leading digit allowed) and nothing else. Two federations on one server must not be
named so that one name is the start of another at a hyphen: `a` with a site `b` owns the same bucket as
the federation `a-b`.
"""

import re
from dataclasses import dataclass

from wardround.errors import ConfigurationError, RefusedError

COORDINATOR = "coordinator"
FEDERATION_KEY = "federation.json"
RUNS = "runs/"
LAST_ROUND = 999_999

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_ROUND = re.compile(r"[0-9]{6}", re.ASCII)
_BUCKET_LENGTH = 63  # S3's limit
_KEY_LENGTH = 512


def _label(kind: str, name: str, longest: int) -> str:
    if not _LABEL.fullmatch(name) or len(name) > longest:
        raise ConfigurationError(
            f"{kind} {name[:80]!r} is not a legal name: use 1 to {longest} of a-z, 0-9 and '-', "
            "starting and ending with a letter or digit",
            code="illegal-name",
        )
    return name


def check_run(name: str) -> str:
    """`name`, if it may name a run (a DNS label of at most 63 characters).

    Raises ConfigurationError (`illegal-name`).
    """
    return _label("run", name, 63)


def check_bucket(name: str) -> str:
    """`name`, if it may name a bucket on every S3 server (a DNS label of 3 to 63 characters).

    Raises ConfigurationError (`illegal-name`).
    """
    if len(name) < 3:
        raise ConfigurationError(
            f"bucket {name!r} is too short; use 3 characters or more", code="illegal-name"
        )
    return _label("bucket", name, _BUCKET_LENGTH)


def check_digest(digest: str) -> str:
    """`digest`, if it is a SHA-256 in 64 lower-case hexadecimal digits.

    Raises RefusedError (`illegal-name`).
    """
    if not _DIGEST.fullmatch(digest):
        raise RefusedError(
            f"digest {digest[:80]!r} is not a SHA-256: 64 of 0-9 and a-f are needed", code="illegal-name"
        )
    return digest


def check_key(key: str) -> str:
    """`key`, if it is `/`-separated segments of `A-Za-z0-9._-` that do not start with `.` or `-`.

    Raises RefusedError (`illegal-name`).
    """
    if len(key) > _KEY_LENGTH or not all(_SEGMENT.fullmatch(part) for part in key.split("/")):
        raise RefusedError(
            f"key {key[:80]!r} is not legal: use at most {_KEY_LENGTH} characters, segments of A-Z, a-z, "
            "0-9, '.', '_' and '-' between single slashes, none of them starting with '.' or '-'",
            code="illegal-name",
        )
    return key


def check_prefix(prefix: str) -> str:
    """`prefix`, if it is empty, a legal key, or a legal key and one slash.

    Raises RefusedError (`illegal-name`).
    """
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix


def check_folder(prefix: str) -> str:
    """`prefix`, if it is empty, or a legal key and one slash.

    Raises RefusedError (`illegal-name`).
    """
    if prefix and not prefix.endswith("/"):
        raise RefusedError(f"prefix {prefix[:80]!r} does not end with a slash", code="illegal-name")
    return check_prefix(prefix)


@dataclass(frozen=True)
class Layout:
    """The buckets of one federation.

    Raises ConfigurationError (`illegal-name`) for a name that cannot be a bucket's.
    """

    name: str

    def __post_init__(self) -> None:
        _label("federation", self.name, _BUCKET_LENGTH - len(f"wardround--{COORDINATOR}"))

    @property
    def federation(self) -> str:
        """The bucket that the coordinator writes and every site reads."""
        return f"wardround-{self.name}"

    @property
    def coordinator(self) -> str:
        """The coordinator's own bucket."""
        return f"{self.federation}-{COORDINATOR}"

    def site(self, site: str) -> str:
        """The bucket that `site` writes and the coordinator reads."""
        if site == COORDINATOR:
            raise ConfigurationError(
                f"a site cannot be called {site!r}, the coordinator is; choose another name",
                code="illegal-name",
            )
        return f"{self.federation}-{_label('site', site, _BUCKET_LENGTH - len(self.federation) - 1)}"


def run_name(text: str, *, ending: str) -> str:
    """A legal name of a run: what is legal of `text`, which may be shortened, and then `-` and `ending`, which is not.

    Raises ConfigurationError (`illegal-name`) for an ending that is no part of a name.
    """
    legal = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    room = _BUCKET_LENGTH - len(ending) - 1
    return check_run(f"{legal[: max(room, 0)].strip('-') or 'run'}-{ending}")


def run_of(key: str, file: str) -> str | None:
    """The run whose `file` (`run.json`, `final.json`) `key` is; None for any other key."""
    run, slash, rest = key.removeprefix(RUNS).partition("/")
    inside = key.startswith(RUNS) and slash and rest == file and _LABEL.fullmatch(run)
    return run if inside and len(run) <= _BUCKET_LENGTH else None


def plan_prefix(digest: str) -> str:
    """The prefix, with its slash, of all files of the plan with this digest."""
    return f"plans/{check_digest(digest)}/"


def plan_key(digest: str, path: str) -> str:
    """The key of one file of a plan; `path` is relative to the plan's folder."""
    return check_key(plan_prefix(digest) + path)


@dataclass(frozen=True)
class RunKeys:
    """The keys of one run, the same in every bucket.

    Raises ConfigurationError (`illegal-name`) for an illegal run name, RefusedError for an illegal file.
    """

    run: str

    def __post_init__(self) -> None:
        check_run(self.run)

    @property
    def prefix(self) -> str:
        """The prefix, with its slash, of everything in the run."""
        return f"{RUNS}{self.run}/"

    @property
    def description(self) -> str:
        """The coordinator's `run.json`."""
        return self.file("run.json")

    @property
    def join(self) -> str:
        """A site's `join.json`."""
        return self.file("join.json")

    @property
    def declined(self) -> str:
        """A site's `declined.json`."""
        return self.file("declined.json")

    @property
    def final(self) -> str:
        """The coordinator's `final.json`, the last object of a run."""
        return self.file("final.json")

    @property
    def rounds(self) -> str:
        """The prefix, with its slash, of all rounds."""
        return f"{self.prefix}rounds/"

    def file(self, path: str) -> str:
        """A file of the run that belongs to no round."""
        return check_key(self.prefix + path)

    def round_prefix(self, number: int) -> str:
        """The prefix, with its slash, of one round, 0 to 999999."""
        if not 0 <= number <= LAST_ROUND:
            raise ConfigurationError(
                f"round {number} has no key: rounds go from 0 to {LAST_ROUND}", code="illegal-name"
            )
        return f"{self.rounds}{number:06d}/"

    def round_file(self, number: int, file: str) -> str:
        """A file of one round."""
        return check_key(self.round_prefix(number) + file)

    def decision(self, number: int, decision: int) -> str:
        """The coordinator's `collected.json` of a round, its first decision, or `collected-2.json` and so on."""
        return self.round_file(number, "collected.json" if decision == 1 else f"collected-{decision}.json")

    def round_of(self, key: str) -> int | None:
        """The round that `key` belongs to; None when it belongs to no round of this run."""
        digits, slash, _ = key.removeprefix(self.rounds).partition("/")
        inside = key.startswith(self.rounds) and slash and _ROUND.fullmatch(digits)
        return int(digits) if inside else None
