"""Patience with a registry that is away for a while, with an end."""

import threading
from collections.abc import Callable
from typing import TypeVar

from mlflow.exceptions import MlflowException
from requests.exceptions import RequestException
from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_delay,
    stop_when_event_set,
    wait_random_exponential,
)

from wardround.failures import place_of
from wardround.registry.errors import RegistryError
from wardround.text import foreign

T = TypeVar("T")

# MLflow says INTERNAL_ERROR for a connection that failed, and for much else that may pass.
_PASSING = {"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"}


class Patience:
    """Calls again what failed for a passing reason, for at most `seconds` and until `stop` is set."""

    def __init__(self, seconds: float, stop: threading.Event | None = None) -> None:
        self._seconds = seconds
        self._stop = stop or threading.Event()

    def call(self, what: str, attempt: Callable[[], T]) -> T:
        """The result of `attempt`, which must be able to find out what an earlier, failed call of it did.

        Raises:
            RegistryError: "registry-unavailable" at the end of patience, "registry-refused" at once where
                waiting will not help.
        """
        retrying = Retrying(
            retry=retry_if_exception(_passes),
            stop=stop_after_delay(self._seconds) | stop_when_event_set(self._stop),
            wait=wait_random_exponential(multiplier=0.2, max=10),
            sleep=sleep_using_event(self._stop),
        )
        try:
            return retrying(attempt)
        except RetryError as error:
            cause = error.last_attempt.exception()
            raise RegistryError(
                f"MLflow did not {what} within {self._seconds:g} s: {_told(cause)}. Rounds are safe "
                "in the exchange: see to the server, then start the coordinator again.",
                code="registry-unavailable",
            ) from cause
        except MlflowException as error:
            raise RegistryError(
                f"MLflow refused to {what}: {_told(error)}. Check the tracking URI, its credentials and the names.",
                code="registry-refused",
            ) from error


def _told(error: BaseException | None) -> str:
    """MLflow's own code where it gives one; its text, and an HTTP client's, may hold addresses with a password."""
    if isinstance(error, MlflowException):
        return f"{foreign(error.error_code, 60)}"
    return "no answer" if error is None else place_of(error)


def _passes(error: BaseException) -> bool:
    if isinstance(error, MlflowException):
        return error.error_code in _PASSING
    return isinstance(error, RequestException | ConnectionError | TimeoutError)
