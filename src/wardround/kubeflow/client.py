"""Kubeflow Pipelines' API, as one account in one namespace.

The generated client is used as it is (`kfp_server_api`): `kfp.Client` around it prints, keeps a file in the home
directory, and takes seconds to import.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import kfp_server_api
from urllib3.exceptions import HTTPError

from wardround.errors import ConfigurationError
from wardround.kubeflow.errors import (
    KubeflowDeniedError,
    KubeflowError,
    KubeflowMissingError,
    KubeflowUnavailableError,
)

IN_CLUSTER = "http://ml-pipeline.kubeflow:8888"
TOKEN_FILE = Path("/var/run/secrets/kubeflow/pipelines/token")
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_TIMEOUT = (10, 60)
_PAGE = 100
_EQUALS = 1  # in filter.proto; by number also where names of operations differ between versions


@dataclass(frozen=True)
class Connection:
    """How to reach Kubeflow Pipelines. `token_file`: a service account's token with the audience
    `pipelines.kubeflow.org`; None sends none. `ui`: what links begin with; None is `url`.
    """

    namespace: str
    url: str = IN_CLUSTER
    token_file: Path | None = None
    ca_file: Path | None = None
    ui: str | None = None


def default_token_file() -> Path | None:
    """Where Kubernetes projects the token, if it does."""
    return TOKEN_FILE if TOKEN_FILE.is_file() else None


def in_pod() -> bool:
    """Whether this process has a namespace of its own."""
    return _NAMESPACE_FILE.is_file()


def default_namespace() -> str:
    """The namespace that this pod is in. Raises ConfigurationError outside of one."""
    try:
        return _NAMESPACE_FILE.read_text("utf-8").strip()
    except OSError as error:
        raise ConfigurationError("--namespace is not given, and this is no pod; name a namespace") from error


class Kubeflow:
    """The API. Every call raises KubeflowError with what to do; `call` makes one, `pages` all pages of a list."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.namespace = connection.namespace

    @cached_property
    def _client(self) -> Any:
        settings = kfp_server_api.Configuration(host=self.connection.url.rstrip("/"))
        if self.connection.ca_file is not None:
            settings.ssl_ca_cert = str(self.connection.ca_file)
        token_file = self.connection.token_file
        if token_file is not None:
            settings.api_key["authorization"] = _read_token(token_file)
            settings.api_key_prefix["authorization"] = "Bearer"
            # Kubernetes renews a projected token in its file, long before it ends.
            settings.refresh_api_key_hook = lambda known: known.api_key.update(
                authorization=_read_token(token_file)
            )
        return kfp_server_api.ApiClient(settings)

    @cached_property
    def pipelines(self) -> Any:
        return kfp_server_api.PipelineServiceApi(self._client)

    @cached_property
    def uploads(self) -> Any:
        return kfp_server_api.PipelineUploadServiceApi(self._client)

    @cached_property
    def runs(self) -> Any:
        return kfp_server_api.RunServiceApi(self._client)

    @cached_property
    def recurring_runs(self) -> Any:
        return kfp_server_api.RecurringRunServiceApi(self._client)

    @cached_property
    def experiments(self) -> Any:
        return kfp_server_api.ExperimentServiceApi(self._client)

    def call(self, what: str, function: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """What an API function returns; `what` says in an error what was tried."""
        given = {name: value for name, value in more.items() if value is not None}
        try:
            return function(*arguments, **given, _request_timeout=_TIMEOUT)
        except kfp_server_api.ApiException as error:
            raise self._translated(what, error) from error
        except (HTTPError, OSError) as error:
            raise KubeflowUnavailableError(
                f"Kubeflow Pipelines at {self.connection.url} cannot be reached to {what} ({type(error).__name__}); "
                "check the address (--kfp-url) and the network policy"
            ) from error

    def pages(self, what: str, function: Callable[..., Any], field: str, **more: Any) -> Iterator[Any]:
        """Every item of a list, page by page."""
        token: str | None = ""
        while token is not None:
            page = self.call(what, function, page_size=_PAGE, page_token=token, **more)
            yield from getattr(page, field) or ()
            token = page.next_page_token or None

    def link(self, run_id: str) -> str:
        """The address of a run's page."""
        ui = (self.connection.ui or self.connection.url).rstrip("/")
        return f"{ui}/?ns={self.namespace}#/runs/details/{run_id}"

    def _translated(self, what: str, error: Any) -> KubeflowError:
        said, status = _message(error), error.status
        if status == 401:
            return KubeflowDeniedError(
                f"Kubeflow Pipelines does not know who asks to {what}: {said}; give a service account's token with the "
                "audience pipelines.kubeflow.org (--token-file)"
            )
        # Uploads answer 400 to whoever lacks a right.
        if status == 403 or "authorization error" in said:
            return KubeflowDeniedError(
                f"this account may not {what} in namespace {self.namespace!r}: {said}; check --namespace, and the Role "
                "that the account is bound to"
            )
        if status == 404:
            return KubeflowMissingError(f"Kubeflow Pipelines found nothing to {what}: {said}")
        if status == 0 or status >= 500:
            return KubeflowUnavailableError(f"Kubeflow Pipelines failed to {what} (HTTP {status}): {said}")
        return KubeflowError(f"Kubeflow Pipelines refused to {what} (HTTP {status}): {said}")


def named(value: str) -> str:
    """A filter for lists: those whose display name is `value`."""
    return json.dumps({"predicates": [{"operation": _EQUALS, "key": "display_name", "stringValue": value}]})


def from_environment(name: str) -> str | None:
    """WARDROUND_KFP_<NAME>, or None if it is not set or empty."""
    return os.environ.get(f"WARDROUND_KFP_{name}") or None


def _read_token(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise ConfigurationError(
            f"token file {str(path)!r} cannot be read ({error.strerror}); correct --token-file"
        ) from error


def _message(error: Any) -> str:
    """The server's own words, in one line of at most 300 characters."""
    try:
        body = json.loads(error.body)
        said = body.get("message") or body.get("error_message") or error.reason
    except (TypeError, ValueError, AttributeError):
        said = error.reason
    return " ".join(str(said).split())[:300]
