"""What the values may say of nodes and labels is what a profile may say: otherwise the Job after the install fails."""

from functools import cache
from typing import Any

import jsonschema
import pytest
from helm.build import CHARTS
from helm.schema import values_schema
from helm.values import read_values
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from wardround.kubeflow.profile import Profile

BOTH = ["wardround-coordinator", "wardround-site"]
KEYS = st.text("aZ9-_./", max_size=8) | st.sampled_from(
    ["disk", "node.kubernetes.io/disk", "a" * 63, "a" * 64]
)
VALUES = st.text("aZ9-_./ ", max_size=6) | st.sampled_from(["", "a" * 63, "a" * 64])


@cache
def validator(chart: str) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(values_schema(read_values(CHARTS / chart / "values.yaml")))


def profile_accepts(**fields: Any) -> bool:
    try:
        Profile.model_validate({"party": "site", **fields})
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("chart", BOTH)
@settings(deadline=None)
@given(key=KEYS, value=VALUES)
@example(key="disk", value="ssd")
@example(key="-disk", value="ssd")
@example(key="disk", value="ssd ")
@example(key="Node.io/disk", value="ssd")
def test_schema_and_profile_agree_on_labels(chart: str, key: str, value: str) -> None:
    assert validator(chart).is_valid({"pods": {"nodeSelector": {key: value}}}) == profile_accepts(
        node_selector={key: value}
    )
    assert validator(chart).is_valid({"pods": {"labels": {key: value}}}) == profile_accepts(
        labels={key: value}
    )


@pytest.mark.parametrize("chart", BOTH)
@pytest.mark.parametrize(("toleration", "legal"), [
    ({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}, True),
    ({"key": "gpu", "operator": "Equal", "value": "a100", "tolerationSeconds": 60}, True),
    ({"key": "gpu", "operator": "In"}, False),
    ({"effect": "Never"}, False),
    ({"seconds": 60}, False),
])  # fmt: skip
def test_schema_and_profile_agree_on_tolerations(chart: str, toleration: dict[str, Any], legal: bool) -> None:
    assert validator(chart).is_valid({"pods": {"tolerations": [toleration]}}) == legal
    assert profile_accepts(tolerations=[toleration]) == legal


@settings(deadline=None)
@given(resource=KEYS, count=st.integers(1, 8))
@example(resource="nvidia.com/gpu", count=1)
@example(resource="nvidia.com/mig-1g.10gb", count=2)
def test_schema_and_profile_agree_on_accelerators(resource: str, count: int) -> None:
    asked = {"resource": resource, "count": count}
    legal = profile_accepts(resources={"train": {"gpu": asked}})
    assert validator("wardround-site").is_valid({"steps": {"train": {"gpu": asked}}}) == legal
