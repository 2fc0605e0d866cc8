"""What the values may say of a run's steps is what a profile may say: otherwise the Job after the install fails."""

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from helm.build import CHARTS
from helm.schema import values_schema
from helm.values import read_values
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from wardround.kubeflow.profile import Cpu, Memory, Resources, Retries

STEPS = [
    ("wardround-coordinator", "aggregate"), ("wardround-coordinator", "compile"), ("wardround-site", "train"),
]  # fmt: skip
QUANTITIES = {"cpu": TypeAdapter(Cpu), "memory": TypeAdapter(Memory)}
DIGITS_AND_UNITS = st.text("0159.mkKMGTPEine+- ", max_size=6)


@cache
def validator(chart: str) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(values_schema(read_values(CHARTS / chart / "values.yaml")))


@cache
def defaults(chart: str) -> str:
    return Path(CHARTS / chart / "values.yaml").read_text("utf-8")


def accepts(chart: str, step: str, **resources: Any) -> bool:
    return validator(chart).is_valid({"steps": {step: {"resources": resources}}})


def profile_accepts(resource: str, quantity: Any) -> bool:
    try:
        QUANTITIES[resource].validate_python(quantity)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(("chart", "step"), STEPS)
@pytest.mark.parametrize("resource", ["cpu", "memory"])
@settings(deadline=None)
@given(quantity=DIGITS_AND_UNITS)
@example("500m")
@example("0.5")
@example(".5")
@example("1.5m")
@example("1Gi")
@example("1.5Gi")
@example("512k")
@example("512K")
@example("512Ki")
@example("16G")
@example("1e9")
def test_schema_and_profile_agree_on_every_text(chart: str, step: str, resource: str, quantity: str) -> None:
    asked = {resource: quantity}
    legal = profile_accepts(resource, quantity)
    assert accepts(chart, step, requests=asked) == legal
    assert accepts(chart, step, limits=asked) == legal


@pytest.mark.parametrize(("resource", "legal", "illegal"), [
    ("cpu", (8, 0.5, 0.001), (-1, 0, 0.00001, True)),
    ("memory", (8589934592, 1), (-1, 0, 1.5, True)),
])  # fmt: skip
@pytest.mark.parametrize(("chart", "step"), STEPS)
def test_numbers_are_what_a_profile_can_have_as_text(
    chart: str, step: str, resource: str, legal: tuple[float, ...], illegal: tuple[float, ...]
) -> None:
    assert all(accepts(chart, step, requests={resource: number}) for number in legal)
    assert all(profile_accepts(resource, str(number)) for number in legal)
    assert not any(accepts(chart, step, requests={resource: number}) for number in illegal)


@pytest.mark.parametrize("unknown", ["memroy", "nvidia.com/gpu", "ephemeral-storage", "hugepages-2Mi"])
@pytest.mark.parametrize(("chart", "step"), STEPS)
def test_a_resource_that_no_step_would_get_is_refused(chart: str, step: str, unknown: str) -> None:
    assert set(Resources.model_fields) == {
        "cpu_request", "cpu_limit", "memory_request", "memory_limit", "gpu",
    }  # fmt: skip
    assert not accepts(chart, step, requests={unknown: "1"})
    assert not accepts(chart, step, limits={unknown: "1"})


@pytest.mark.parametrize(("chart", "path"), [
    ("wardround-coordinator", "exchange.minio"), ("wardround-coordinator", "mlflow"),
    ("wardround-coordinator", "database"), ("wardround-coordinator", "pods"), ("wardround-site", "pods"),
])  # fmt: skip
def test_the_charts_own_containers_may_also_ask_for_room_on_the_nodes_disk(chart: str, path: str) -> None:
    def given_values(**asked: str) -> dict[str, Any]:
        values: dict[str, Any] = {"resources": {"requests": asked}}
        for key in reversed(path.split(".")):
            values = {key: values}
        return values

    assert validator(chart).is_valid(given_values(cpu="0.5", memory="1.5Gi", **{"ephemeral-storage": "2Gi"}))
    assert not validator(chart).is_valid(given_values(memroy="1Gi"))
    assert not validator(chart).is_valid(given_values(**{"nvidia.com/gpu": "1"}))


@pytest.mark.parametrize("chart", ["wardround-coordinator", "wardround-site"])
@settings(deadline=None)
@given(
    name=st.sampled_from(["count", "backoff_seconds"]),
    number=st.integers(-2, 12) | st.sampled_from([3600, 3601, 0.5, 1.5]),
)
def test_schema_and_profile_agree_on_retries(chart: str, name: str, number: float) -> None:
    words = name.split("_")
    key = words[0] + "".join(word.title() for word in words[1:])
    assert key in yaml.safe_load(defaults(chart))["retries"]
    try:
        Retries.model_validate({name: number})
        legal = True
    except ValidationError:
        legal = False
    assert validator(chart).is_valid({"retries": {key: number}}) == legal
