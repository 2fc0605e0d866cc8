"""What the coordinator's Jobs need to know; a chart writes it as YAML. No secret is in it, only names of Secrets."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wardround.errors import ConfigurationError
from wardround.exchange.layout import COORDINATOR, Layout, check_bucket

_Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\z")]
_User = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\z")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class CertificateSettings(_Section):
    """A certificate for the exchange that this release makes itself.

    `secret` gets `tls.crt`, `tls.key` and `ca.crt`; `authority_secret` gets the authority's own key.
    `names`: DNS names and IP addresses, the first one is the subject. A certificate is made anew when less
    than a third of `days` is left, or when `names` changed.
    """

    secret: _Name = "wardround-exchange-tls"
    authority_secret: _Name = "wardround-exchange-ca"
    names: Annotated[tuple[str, ...], Field(min_length=1)]
    days: Annotated[int, Field(ge=3, le=825)] = 365
    authority_days: Annotated[int, Field(ge=30)] = 3650

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.days >= self.authority_days:
            raise ConfigurationError(
                f"a certificate of {self.days} days outlives its authority of {self.authority_days}; give fewer days"
            )
        return self


class ExchangeSettings(_Section):
    """The exchange: where it is, and who administers its users.

    `users: minio`: the server has MinIO's admin API, and `root_secret` holds its administrator (`rootUser`,
    `rootPassword`). `users: none`: any other S3; identities and policies are made by hand, and the Secrets
    must be there already. `artifacts_bucket` is MLflow's. `tls_secret` holds `ca.crt`, which everybody who
    gets a credential must trust; None where the server's authority is one that everybody knows.
    """

    endpoint: str
    region: str = "us-east-1"
    allow_http: bool = False
    users: Literal["minio", "none"] = "minio"
    create_buckets: bool = True
    root_secret: _Name = "wardround-exchange-root"
    tls_secret: _Name | None = None
    coordinator_secret: _Name = "wardround-exchange"
    credential_prefix: _Name = "wardround-credential"
    artifacts_bucket: str | None = None
    artifacts_secret: _Name = "wardround-mlflow-s3"
    patience_s: Annotated[float, Field(ge=0)] = 300.0


class DatabaseSettings(_Section):
    """MLflow's PostgreSQL, where this release runs it: `secret` gets `password` and `uri`."""

    secret: _Name = "wardround-mlflow-db"
    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    name: _User = "mlflow"
    user: _User = "mlflow"


class MlflowSettings(_Section):
    """MLflow's server and its users. `readers` may look at everything and change nothing.

    `database_secret` holds `uri`; `database` says how to make it, None where it is given.
    """

    url: str
    admin: _User = "admin"
    coordinator: _User = COORDINATOR
    readers: tuple[_User, ...] = ()
    admin_secret: _Name = "wardround-mlflow-admin"
    server_secret: _Name = "wardround-mlflow-server"
    coordinator_secret: _Name = "wardround-mlflow"
    reader_prefix: _Name = "wardround-mlflow-reader"
    database_secret: _Name = "wardround-mlflow-db"
    database: DatabaseSettings | None = None
    patience_s: Annotated[float, Field(ge=0)] = 300.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        users = [self.admin, self.coordinator, *self.readers]
        if len(set(users)) < len(users):
            raise ConfigurationError(
                f"MLflow's users are not all different: {', '.join(sorted(users))}; name each one once"
            )
        return self


class ClusterSettings(_Section):
    """One federation's coordinator in one namespace. Raises ConfigurationError for names that no bucket can have."""

    federation: str
    hospitals: tuple[str, ...] = ()
    exchange: ExchangeSettings
    certificate: CertificateSettings | None = None
    mlflow: MlflowSettings | None = None

    @property
    def layout(self) -> Layout:
        """The names of the federation's buckets."""
        return Layout(self.federation)

    @property
    def secure(self) -> bool:
        """Whether the exchange is reached over TLS."""
        return urlsplit(self.exchange.endpoint).scheme == "https"

    @model_validator(mode="after")
    def _check(self) -> Self:
        buckets = [self.layout.site(name) for name in self.hospitals]
        if len(set(buckets)) < len(buckets):
            raise ConfigurationError("a hospital is named twice; name each one once")
        if self.exchange.artifacts_bucket is not None:
            own = check_bucket(self.exchange.artifacts_bucket)
            if own.startswith(f"{self.layout.federation}-") or own == self.layout.federation:
                raise ConfigurationError(
                    f"the bucket {own!r} for MLflow's artifacts could be a hospital's; choose a name that does not "
                    f"start with {self.layout.federation!r}"
                )
        return self
