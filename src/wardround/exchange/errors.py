"""What can go wrong between a process and the exchange, in words that do not depend on the server."""

from wardround.errors import ConfigurationError, RefusedError, WardroundError


class ExchangeError(WardroundError):
    """An operation on the exchange failed."""

    code = "exchange"


class MissingError(ExchangeError):
    """There is no object under this key."""

    code = "missing"


class ExistsError(ExchangeError):
    """There is an object under this key already, and objects are written once."""

    code = "exists"


class ConflictError(ExchangeError):
    """There is an object under this key already, and its bytes are not the ones to be written."""

    code = "conflict"


class DeniedError(ExchangeError):
    """The exchange does not accept these credentials, or they do not allow this operation."""

    code = "denied"


class UnavailableError(ExchangeError):
    """The exchange did not answer, or answered with an error of its own; trying later may help."""

    code = "unavailable"


class NoSpaceError(ExchangeError):
    """The disk of this machine, or of the exchange, is full."""

    code = "disk-full"


class MissingBucketError(ConfigurationError):
    """The bucket does not exist: the federation was not set up on this exchange, or its name is wrong."""

    code = "missing-bucket"


class OversizedError(RefusedError):
    """An object is larger than its reader accepts; nothing of it was kept."""

    code = "oversized"

    def __init__(self, key: str, size: int, limit: int) -> None:
        super().__init__(
            f"object {key!r} has {size} bytes, and at most {limit} are accepted for it; "
            "its writer must publish it again under the next round"
        )


class UntrustedError(ConfigurationError):
    """The exchange's certificate is not one that this process trusts."""

    code = "untrusted-certificate"
