"""How to reach an S3 server, and where its secrets come from: files or variables, never arguments."""

import ipaddress
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, model_validator

from wardround.errors import ConfigurationError
from wardround.limited import FileError, read_limited
from wardround.yaml_text import LIMIT

PREFIX = "WARDROUND_S3_"
_TRUE, _FALSE = ("1", "true", "yes"), ("", "0", "false", "no")


class S3Settings(BaseModel):
    """An S3 server and one identity on it.

    `endpoint` is `https://host[:port]`. Plain http is refused for any host but this one, unless
    `allow_http`: keys and updates would be readable on the network. `ca_file` is a PEM file of the
    authorities to trust instead of the usual ones. `region` is what the server calls itself.
    Raises ConfigurationError.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    endpoint: str
    access_key: str
    secret_key: SecretStr
    region: str = "us-east-1"
    ca_file: Path | None = None
    allow_http: bool = False

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted."""
        return urlsplit(self.endpoint).scheme == "https"

    @property
    def host(self) -> str:
        """`host[:port]`, as it stands in the endpoint."""
        return urlsplit(self.endpoint).netloc

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_endpoint(self.endpoint)
        if not self.secure and not self.allow_http and not is_this_machine(urlsplit(self.endpoint).hostname):
            raise ConfigurationError(
                f"endpoint {self.endpoint!r} is plain http to another machine; use https, or set "
                "WARDROUND_S3_ALLOW_HTTP=true if the network itself is encrypted"
            )
        if self.ca_file is not None and not self.ca_file.is_file():
            raise ConfigurationError(
                f"CA file {str(self.ca_file)!r} does not exist; give a PEM file of certificates"
            )
        return self


def from_environment(
    endpoint: str | None = None, environment: Mapping[str, str] | None = None, prefix: str = PREFIX
) -> S3Settings:
    """Settings from WARDROUND_S3_ENDPOINT, _REGION, _CA_FILE, _ALLOW_HTTP, and an identity.

    The identity is the JSON file `{"access_key": …, "secret_key": …}` that WARDROUND_S3_CREDENTIALS_FILE
    names, or the variables WARDROUND_S3_ACCESS_KEY and WARDROUND_S3_SECRET_KEY. `endpoint` goes before its
    variable. Another `prefix` than WARDROUND_S3_ is for another server than the exchange.
    Raises ConfigurationError, which never holds a secret.
    """
    variables = os.environ if environment is None else environment
    access_key, secret_key = _identity(variables, prefix)
    ca_file = variables.get(f"{prefix}CA_FILE")
    return S3Settings(
        endpoint=endpoint or _needed(variables, prefix, "ENDPOINT"),
        access_key=access_key,
        secret_key=SecretStr(secret_key),
        region=variables.get(f"{prefix}REGION") or "us-east-1",
        ca_file=Path(ca_file) if ca_file else None,
        allow_http=_flag(variables, f"{prefix}ALLOW_HTTP"),
    )


class _Identity(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    access_key: str
    secret_key: str


def _identity(variables: Mapping[str, str], prefix: str) -> tuple[str, str]:
    path = variables.get(f"{prefix}CREDENTIALS_FILE")
    if not path:
        return _needed(variables, prefix, "ACCESS_KEY"), _needed(variables, prefix, "SECRET_KEY")
    try:
        identity = _Identity.model_validate(json.loads(read_limited(Path(path), LIMIT, "credentials file")))
    except FileError as error:
        raise ConfigurationError(f"{error}. Or correct {prefix}CREDENTIALS_FILE") from None
    except (ValueError, ValidationError, RecursionError):
        # `from None`: the parser's own message may quote the file.
        raise ConfigurationError(
            f"credentials file {path!r} is not JSON of the form "
            '{"access_key": "…", "secret_key": "…"}; write it again'
        ) from None
    return identity.access_key, identity.secret_key


def _needed(variables: Mapping[str, str], prefix: str, name: str) -> str:
    if not (value := variables.get(prefix + name)):
        raise ConfigurationError(
            f"{prefix}{name} is not set; an S3 server needs {prefix}ENDPOINT and {prefix}CREDENTIALS_FILE "
            f"(or {prefix}ACCESS_KEY and {prefix}SECRET_KEY)"
        )
    return value


def _flag(variables: Mapping[str, str], name: str) -> bool:
    value = variables.get(name, "").lower()
    if value not in _TRUE + _FALSE:
        raise ConfigurationError(f"{name} is {value!r}; legal are {', '.join(_TRUE)} and {_FALSE[1:]}")
    return value in _TRUE


def _check_endpoint(endpoint: str) -> None:
    parts = urlsplit(endpoint)
    plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in ("https", "http") or not parts.hostname or not plain:
        # The value may hold a password here, so only its scheme is shown.
        raise ConfigurationError(
            f"the S3 endpoint (scheme {parts.scheme!r}) is not of the form https://host[:port]; it must not "
            "have a path, a query or a user"
        )


def is_this_machine(host: str | None) -> bool:
    """Whether a host's name or address is this machine's own, so that nothing of it crosses a network."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
