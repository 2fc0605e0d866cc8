"""Who we are to an archive: from a file or variables, never from arguments.

WARDROUND_SOURCE_CREDENTIALS_FILE names a JSON file: `{"user": …, "password": …}` or `{"token": …}` for
DICOMweb, `{"access_key": …, "secret_key": …}` for S3, `{}` for an archive that asks for nothing. Without it,
the variables WARDROUND_SOURCE_USER and _PASSWORD, WARDROUND_SOURCE_TOKEN, or WARDROUND_SOURCE_ACCESS_KEY and
_SECRET_KEY are used.
"""

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, model_validator
from requests import PreparedRequest
from requests.auth import AuthBase

from wardround.errors import ConfigurationError
from wardround.limited import FileError, read_limited
from wardround.yaml_text import LIMIT

PREFIX = "WARDROUND_SOURCE_"
_FILE = f"{PREFIX}CREDENTIALS_FILE"


class Login(BaseModel):
    """A user with a password, a bearer token (RFC 6750), or nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    user: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.user is None) != (self.password is None) or (
            self.user is not None and self.token is not None
        ):
            raise ValueError("give user and password, or token")
        return self

    @property
    def header(self) -> str | None:
        """The value of `Authorization`; None where nothing is to be said."""
        if self.token is not None:
            return f"Bearer {self.token.get_secret_value().strip()}"
        if self.user is None or self.password is None:
            return None
        pair = f"{self.user}:{self.password.get_secret_value()}".encode()  # RFC 7617 section 2.1: UTF-8
        return f"Basic {base64.b64encode(pair).decode('ascii')}"


def read_login(environment: Mapping[str, str] | None = None) -> Login:
    """The login for a DICOMweb archive. Raises ConfigurationError, which never holds a secret."""
    variables = os.environ if environment is None else environment
    if path := variables.get(_FILE):
        return _from_file(Path(path))
    names = {name: variables.get(f"{PREFIX}{name.upper()}") for name in Login.model_fields}
    try:
        return Login.model_validate({name: value for name, value in names.items() if value})
    except ValidationError:
        raise ConfigurationError(
            f"give {PREFIX}USER and {PREFIX}PASSWORD, or {PREFIX}TOKEN, or {_FILE}"
        ) from None


class LoginAuth(AuthBase):  # type: ignore[misc] # requests has no types
    """Says the login with every request, read anew each time: a token in a file may be renewed meanwhile."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = environment

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        header = read_login(self._environment).header
        if header is not None:
            request.headers["Authorization"] = header
        return request


def _from_file(path: Path) -> Login:
    try:
        return Login.model_validate(json.loads(read_limited(path, LIMIT, "credentials file")))
    except FileError as error:
        raise ConfigurationError(
            f"{error}. Or correct {_FILE}, or write {{}} into it for an archive that asks for nothing"
        ) from None
    except (ValueError, ValidationError, RecursionError):
        # `from None`: the parser's own message may quote the file.
        raise ConfigurationError(
            f'credentials file {str(path)!r} is not JSON of the form {{"user": "…", "password": "…"}} or '
            '{"token": "…"}; write it again'
        ) from None
