"""The users of an MLflow server with basic authentication, by its REST API (MLflow 3.17).

The server must run with workspaces: only then does it ask who creates an experiment or a model. Everybody
else may look at everything, because the server's default permission is READ.
"""

from collections.abc import Mapping
from typing import Any

import requests
import tenacity

from wardround.cluster.credentials import Credential
from wardround.errors import WardroundError

_TIMEOUT = (5, 60)  # seconds to connect, and to wait for an answer
_USERS = "/api/2.0/mlflow/users"
_ROLES = "/api/3.0/mlflow/roles"
_ROLES_OF = "/api/3.0/mlflow/users/roles/list"
_WORKSPACE = "default"


class MlflowError(WardroundError):
    """MLflow did not do what its administrator asked for."""

    code = "mlflow-admin"


class MlflowUnavailableError(MlflowError):
    """MLflow does not answer; trying later may help."""

    code = "mlflow-unavailable"


class MlflowDeniedError(MlflowError):
    """MLflow does not accept this user and password."""

    code = "mlflow-denied"


class MlflowServer:
    """An MLflow server, seen by one of its users: `identity` is a user name and a password.

    Every operation is tried again for `patience_s` while the server does not answer.
    """

    def __init__(self, url: str, identity: Credential, patience_s: float) -> None:
        self._url = url.rstrip("/")
        self._auth = (identity.access_key, identity.secret_key)
        self._patience_s = patience_s

    def knows_me(self) -> bool:
        """Whether the server accepts this identity."""
        try:
            self._ask("say who I am", "GET", f"{_USERS}/current")
        except MlflowDeniedError:
            return False
        return True

    def names(self) -> frozenset[str]:
        """All users."""
        found = self._ask("list the users", "GET", f"{_USERS}/list")
        return frozenset(str(user["username"]) for user in found["users"])

    def create(self, user: Credential) -> None:
        """Makes a user, who may read."""
        body = {"username": user.access_key, "password": user.secret_key}
        self._ask(f"make the user {user.access_key!r}", "POST", f"{_USERS}/create", body)

    def set_password(self, user: Credential, current: str | None = None) -> None:
        """Sets a user's password; of one's own, MLflow wants the current one too."""
        body = {"username": user.access_key, "password": user.secret_key}
        own = {} if current is None else {"current_password": current}
        self._ask(
            f"set the password of {user.access_key!r}", "PATCH", f"{_USERS}/update-password", body | own
        )

    def role(self, name: str, permissions: Mapping[str, str]) -> int:
        """The id of a role with at least these permissions on all things of a kind; made if there is none."""
        found = self._ask("list the roles", "GET", f"{_ROLES}/list?workspace={_WORKSPACE}")["roles"]
        ids = [int(role["id"]) for role in found if role["name"] == name]
        if not ids:
            body = {"name": name, "workspace": _WORKSPACE}
            ids = [int(self._ask(f"make the role {name!r}", "POST", f"{_ROLES}/create", body)["role"]["id"])]
        path = f"{_ROLES}/permissions/list?role_id={ids[0]}"
        held = self._ask(f"look at the role {name!r}", "GET", path)["role_permissions"]
        there = {(each["resource_type"], each["permission"]) for each in held}
        for kind, permission in permissions.items():
            if (kind, permission) not in there:
                grant = {"resource_type": kind, "resource_pattern": "*", "permission": permission}
                self._ask(
                    f"let {name!r} {permission} every {kind}",
                    "POST",
                    f"{_ROLES}/permissions/add",
                    {"role_id": ids[0], **grant},
                )
        return ids[0]

    def assign(self, user: str, role: int) -> None:
        """Gives a user a role, unless the user has it."""
        held = self._ask(f"look at {user!r}", "GET", f"{_ROLES_OF}?username={user}")["roles"]
        if role not in {int(each["id"]) for each in held}:
            self._ask(
                f"give {user!r} a role", "POST", f"{_ROLES}/assign", {"username": user, "role_id": role}
            )

    def delete(self, user: str) -> None:
        """Ends a user. What the user made stays."""
        self._ask(f"remove the user {user!r}", "DELETE", f"{_USERS}/delete", {"username": user})

    def _ask(
        self, what: str, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(MlflowUnavailableError),
            stop=tenacity.stop_after_delay(self._patience_s),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=5),
            reraise=True,
        )
        return retrying(lambda: self._once(what, method, path, body))

    def _once(self, what: str, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        # `from None`, and no text of the answer: either may quote the request, which holds passwords.
        try:
            answer = requests.request(
                method, self._url + path, json=body, auth=self._auth, timeout=_TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as error:
            raise MlflowUnavailableError(
                f"MLflow did not {what}: it does not answer ({type(error).__name__}); check its address and state"
            ) from None
        if answer.status_code == 401:
            raise MlflowDeniedError(
                f"MLflow did not {what}: it does not know {self._auth[0]!r} by this password"
            )
        if answer.status_code >= 500:
            raise MlflowUnavailableError(f"MLflow did not {what} (HTTP {answer.status_code})")
        if answer.status_code >= 300:
            raise MlflowError(f"MLflow did not {what} (HTTP {answer.status_code})")
        return _json(answer)


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        found = answer.json() if answer.content else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
