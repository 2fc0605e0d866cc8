"""Reaching the Kubernetes API: as the pod's service account where there is one, else by a kubeconfig."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from wardround.cluster.errors import (
    ClusterDeniedError,
    ClusterError,
    ClusterUnavailableError,
    NoClusterError,
)

_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
# Of one request: to connect, and to wait for the answer. The client itself would wait for ever.
TIMEOUT_SECONDS = (5.0, 30.0)


@dataclass(frozen=True)
class Cluster:
    """A connection, and the namespace that is meant where none is named."""

    api: client.ApiClient
    namespace: str


def connect(namespace: str | None = None) -> Cluster:
    """The cluster that this process is in, else the one of KUBECONFIG.

    Without `namespace` it is the pod's own, else that of the kubeconfig's context, else `default`.
    Raises NoClusterError.
    """
    settings = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=settings)
        own = _OWN_NAMESPACE.read_text("ascii").strip()
    except (ConfigException, OSError):
        own = _from_kubeconfig(settings)
    return Cluster(client.ApiClient(settings), namespace or own)


def _from_kubeconfig(settings: client.Configuration) -> str:
    try:
        config.load_kube_config(client_configuration=settings)
        _, active = config.list_kube_config_contexts()
    except ConfigException as error:
        raise NoClusterError(
            "no Kubernetes API is known: this is no pod with a service account, and KUBECONFIG names no usable file"
        ) from error
    return str(active["context"].get("namespace") or "default")


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Raises the client's errors as ours; `action` says what was tried, such as `create Secret 'a' in 'b'`.

    The API's own message is left out: of an object that it finds illegal, it quotes the content.
    """
    try:
        yield
    except ApiException as error:
        if error.status in (401, 403):
            raise ClusterDeniedError(
                f"the Kubernetes API does not let this account {action} (HTTP {error.status}); "
                "its Role needs a rule for it"
            ) from None
        kind = ClusterUnavailableError if not error.status or error.status >= 500 else ClusterError
        raise kind(f"could not {action}: HTTP {error.status}, {error.reason}") from None
    except urllib3.exceptions.HTTPError as error:
        raise ClusterUnavailableError(
            f"could not {action}: the Kubernetes API does not answer ({type(error).__name__})"
        ) from None
