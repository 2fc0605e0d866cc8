"""The identities of a federation in its exchange: whose they are, what they may, and where their keys are kept."""

from dataclasses import dataclass

from wardround.cluster.policies import Policy, artifacts_policy, coordinator_policy, site_policy
from wardround.cluster.settings import ClusterSettings
from wardround.exchange.layout import COORDINATOR

ARTIFACTS = "mlflow"


@dataclass(frozen=True)
class Identity:
    """One identity. `name` is the coordinator's, MLflow's or a hospital's; `policy_name` is its own on the server.

    No name of a federation or a hospital has a dot, so the policies of a federation are told from all others.
    """

    name: str
    policy_name: str
    policy: Policy
    secret: str
    hospital: bool = False


def policy_prefix(settings: ClusterSettings) -> str:
    """What the names of this federation's policies, and no other policy's, start with."""
    return f"wardround.{settings.federation}."


def identities(settings: ClusterSettings, *, minio: bool = True) -> tuple[Identity, ...]:
    """All of them: the coordinator, MLflow where it has a bucket, the hospitals in the order of the settings."""
    layout, exchange, prefix = settings.layout, settings.exchange, policy_prefix(settings)
    found = [
        Identity(
            COORDINATOR,
            f"{prefix}{COORDINATOR}",
            coordinator_policy(layout, settings.hospitals, minio=minio),
            exchange.coordinator_secret,
        )
    ]
    if exchange.artifacts_bucket is not None:
        policy = artifacts_policy(exchange.artifacts_bucket, minio=minio)
        # An underscore: a hospital may be called mlflow.
        found.append(Identity(ARTIFACTS, f"{prefix}_{ARTIFACTS}", policy, exchange.artifacts_secret))
    for site in settings.hospitals:
        policy = site_policy(layout, site, minio=minio)
        secret = f"{exchange.credential_prefix}-{site}"
        found.append(Identity(site, f"{prefix}{site}", policy, secret, hospital=True))
    return tuple(found)


def buckets(settings: ClusterSettings) -> tuple[str, ...]:
    """All buckets of the federation, and MLflow's."""
    layout, artifacts = settings.layout, settings.exchange.artifacts_bucket
    own = [layout.federation, layout.coordinator, *(layout.site(site) for site in settings.hospitals)]
    return tuple([*own, artifacts] if artifacts is not None else own)
