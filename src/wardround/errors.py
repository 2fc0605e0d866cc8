"""The one family of errors that Wardround raises on purpose."""


class WardroundError(Exception):
    """An error that a user can act on.

    `code` is short, fixed text without any data in it: it is the only part that may leave a hospital.
    The message is for the people at the machine where it happened.
    """

    code = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class ConfigurationError(WardroundError):
    """A setting, file or argument is missing or wrong; nothing was started."""

    code = "configuration"


class RefusedError(WardroundError):
    """An object that somebody else wrote was refused; `code` tells the reason."""

    code = "refused"


class StoppedError(WardroundError):
    """The process was asked to stop (SIGTERM or Ctrl-C) and did so between two writes."""

    code = "stopped"
