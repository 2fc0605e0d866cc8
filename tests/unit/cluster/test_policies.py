"""What each identity's policy says; that a server acts by it is tested in tests/conformance."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardround.cluster.identities import buckets, identities
from wardround.cluster.settings import ClusterSettings
from wardround.errors import ConfigurationError

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,5})?", fullmatch=True).filter(
    lambda name: name != "coordinator"
)


def settings(*hospitals: str, bucket: str | None = "mlflow-thorax") -> ClusterSettings:
    exchange = {"endpoint": "https://exchange:9000", "artifacts_bucket": bucket}
    return ClusterSettings.model_validate(
        {"federation": "thorax", "hospitals": hospitals, "exchange": exchange}
    )


def resources(policy: dict, effect: str = "Allow") -> set[str]:  # type: ignore[type-arg]
    statements = [each for each in policy["Statement"] if each["Effect"] == effect]
    return {name.split(":::")[1].split("/")[0] for each in statements for name in each.get("Resource", [])}


def actions(policy: dict) -> set[str]:  # type: ignore[type-arg]
    return {action for each in policy["Statement"] if each["Effect"] == "Allow" for action in each["Action"]}


@given(st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_a_hospital_sees_two_buckets_whatever_the_hospitals_are_called(names: list[str]) -> None:
    given_ = settings(*names)
    for identity in identities(given_):
        if identity.hospital:
            own = given_.layout.site(identity.name)
            assert resources(identity.policy) == {"wardround-thorax", own}
            written = [each for each in identity.policy["Statement"] if "s3:PutObject" in each["Action"]]
            assert [each["Resource"] for each in written] == [[f"arn:aws:s3:::{own}/*"]]


def test_nobody_may_delete_or_administer_but_mlflow_in_its_own_bucket() -> None:
    for identity in identities(settings("alder", "birch")):
        assert not any("*" in action for action in actions(identity.policy))
        assert {"Effect": "Deny", "Action": ["admin:*"]} in identity.policy["Statement"]
        if identity.name != "mlflow":
            assert not any("Delete" in action for action in actions(identity.policy))
        else:
            assert resources(identity.policy) == {"mlflow-thorax"}


def test_the_coordinator_reads_all_buckets_and_writes_its_own_two() -> None:
    (coordinator, *_) = identities(settings("alder"))
    own = ["wardround-thorax", "wardround-thorax-coordinator"]
    assert resources(coordinator.policy) == {*own, "wardround-thorax-alder"}
    (writes,) = (each for each in coordinator.policy["Statement"] if "s3:PutObject" in each["Action"])
    assert writes["Resource"] == [f"arn:aws:s3:::{name}/*" for name in own]


def test_other_servers_get_only_actions_that_every_s3_knows() -> None:
    for identity in identities(settings("alder"), minio=False):
        text = json.dumps(identity.policy)
        assert "admin:" not in text and "Listen" not in text


def test_a_hospital_may_be_called_mlflow() -> None:
    found = identities(settings("mlflow"))
    assert len({each.policy_name for each in found}) == len({each.secret for each in found}) == 3


def test_every_bucket_is_made_once() -> None:
    assert buckets(settings("alder", bucket=None)) == (
        "wardround-thorax",
        "wardround-thorax-coordinator",
        "wardround-thorax-alder",
    )


@pytest.mark.parametrize("bucket", ["wardround-thorax", "wardround-thorax-alder", "Models", "ab"])
def test_a_bucket_for_artifacts_that_is_illegal_or_could_be_a_hospitals_is_refused(bucket: str) -> None:
    with pytest.raises(ConfigurationError):
        settings("alder", bucket=bucket)


@pytest.mark.parametrize("names", [("alder", "alder"), ("coordinator",), ("Alder",), ("a" * 60,)])
def test_hospitals_that_no_bucket_can_be_made_for_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError):
        settings(*names)
