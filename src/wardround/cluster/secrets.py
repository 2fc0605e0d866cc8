"""Secrets in one namespace: read, create unless there, and change single keys. Nothing here prints their content.

A Role can name the Secrets that an account may read and patch. It cannot name those that it may create: the API
server does not yet know the name when it decides (Kubernetes, "Referring to resources" of RBAC).
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from wardround.cluster.connect import TIMEOUT_SECONDS, Cluster, translated

Content = Mapping[str, bytes]
_MANAGED_BY = {"app.kubernetes.io/managed-by": "wardround", "app.kubernetes.io/part-of": "wardround"}
_CONFLICT, _NOT_FOUND = 409, 404


@dataclass(frozen=True)
class Stored:
    """A Secret as it is in the cluster; `created` says whether this call made it."""

    name: str
    content: Content = field(repr=False)
    annotations: Mapping[str, str]
    created: bool = False


@dataclass(frozen=True)
class Secrets:
    """The Secrets of a cluster's namespace.

    Every operation may raise ClusterDeniedError, ClusterUnavailableError and ClusterError.
    """

    cluster: Cluster

    def read(self, name: str) -> Stored | None:
        """The Secret, or None if there is none of this name."""
        with translated(f"get {self._named(name)}"):
            try:
                found = self._api.read_namespaced_secret(
                    name, self.cluster.namespace, _request_timeout=TIMEOUT_SECONDS
                )
            except ApiException as error:
                if error.status == _NOT_FOUND:
                    return None
                raise
        return _stored(found)

    def create_if_absent(
        self,
        name: str,
        make: Callable[[], Content],
        *,
        kind: str = "Opaque",
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Stored:
        """The Secret of this name; if there is none, a new one with what `make` returns.

        Of several callers at once exactly one creates it, and all get that one's content. Another release
        of the software, or a person, may have made it: what is there stays as it is. `kind` is the Secret's type.
        """
        found = self.read(name)
        if found is not None:
            return found
        metadata = client.V1ObjectMeta(
            name=name, labels=_MANAGED_BY | dict(labels or {}), annotations=dict(annotations or {})
        )
        secret = client.V1Secret(metadata=metadata, type=kind, data=_encoded(make()))
        with translated(f"create {self._named(name)}"):
            try:
                made = self._api.create_namespaced_secret(
                    self.cluster.namespace, secret, _request_timeout=TIMEOUT_SECONDS
                )
            except ApiException as error:
                if error.status != _CONFLICT:
                    raise
                return self._existing(name)
        return _stored(made, created=True)

    def patch(
        self,
        name: str,
        content: Mapping[str, bytes | None],
        *,
        annotations: Mapping[str, str | None] | None = None,
    ) -> Stored:
        """Sets these keys of the Secret, which must be there; None removes a key. Other keys stay."""
        body: dict[str, Any] = {"data": _encoded(content)}
        if annotations:
            body["metadata"] = {"annotations": dict(annotations)}
        with translated(f"patch {self._named(name)}"):
            changed = self._api.patch_namespaced_secret(
                name, self.cluster.namespace, body, _request_timeout=TIMEOUT_SECONDS
            )
        return _stored(changed)

    @property
    def _api(self) -> client.CoreV1Api:
        return client.CoreV1Api(self.cluster.api)

    def _named(self, name: str) -> str:
        return f"Secret {name!r} in namespace {self.cluster.namespace!r}"

    def _existing(self, name: str) -> Stored:
        with translated(f"get {self._named(name)}"):
            return _stored(
                self._api.read_namespaced_secret(
                    name, self.cluster.namespace, _request_timeout=TIMEOUT_SECONDS
                )
            )


def _encoded(content: Mapping[str, bytes | None]) -> dict[str, str | None]:
    return {
        key: None if value is None else base64.b64encode(value).decode("ascii")
        for key, value in content.items()
    }


def _stored(secret: client.V1Secret, created: bool = False) -> Stored:
    content = {key: base64.b64decode(value) for key, value in (secret.data or {}).items()}
    return Stored(secret.metadata.name, content, secret.metadata.annotations or {}, created)
