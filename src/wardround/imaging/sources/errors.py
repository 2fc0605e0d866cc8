"""What can go wrong between an archive and the spool. No text here holds an identifier or an address of a study."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from wardround.errors import ConfigurationError, RefusedError, WardroundError
from wardround.exchange.errors import NoSpaceError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class SourceError(WardroundError):
    """The images could not be brought."""

    code = "source"


class AwayError(SourceError):
    """The archive did not answer, or says that it is busy; trying later may help."""

    code = "source-away"


class SourceDeniedError(SourceError):
    """The archive does not accept these credentials."""

    code = "source-denied"


class EmptySelectionError(SourceError):
    """The archive has nothing of what was selected."""

    code = "selection-empty"


class NothingFetchedError(SourceError):
    """Each single parcel has its reason why it could not be fetched; `reasons`: those."""

    def __init__(self, message: str, reasons: "frozenset[Why]") -> None:
        super().__init__(message)
        self.reasons = reasons


class ChangedError(SourceError):
    """The archive does not hand over again what it handed over before."""

    code = "source-changed"


class UntrustedSourceError(ConfigurationError):
    """The archive's certificate is not one that this process trusts."""

    code = "untrusted-certificate"


class Why(StrEnum):
    """Why a parcel was not fetched; the value is what `unfetched.csv` shows, and is fixed text."""

    MISSING = "not-in-archive"
    DENIED = "denied"
    ARCHIVE = "archive-error"
    SILENT = "no-answer"
    MALFORMED = "answer-malformed"
    INCOMPLETE = "incomplete"
    TOO_LARGE = "too-large"
    IDENTIFIER = "illegal-identifier"

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed when it is repeated at once."""
        return self in (Why.ARCHIVE, Why.SILENT, Why.MALFORMED, Why.INCOMPLETE)


class ParcelError(RefusedError):
    """One parcel cannot be fetched. Its text is the reason code alone."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value, code=why.value)
        self.why = why


@contextmanager
def disk_errors_named(folder: Path) -> Iterator[None]:
    """Turns a full disk, quota or file size limit into NoSpaceError, and a disk that fails into SourceError."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # errors of HTTP are OSErrors too, without a number
            raise
        if error.errno in _FULL:
            raise NoSpaceError(
                f"no space is left for images in {folder}; what is there stays: free some and start again"
            ) from error
        raise SourceError(f"{folder} cannot be written ({error.strerror})") from error
