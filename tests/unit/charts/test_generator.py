"""From commented values to a closed schema and a README."""

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from helm.build import charts, generated
from helm.readme import readme
from helm.schema import values_schema
from helm.values import read_values
from hypothesis import given, settings
from hypothesis import strategies as st

VALUES = """
# A heading, which belongs to nothing.

# How loud.
# @schema {enum: [low, high]}
volume: low
# The pump.
pump:
  # Its image,
  # by digest.
  # @schema {use: image}
  image: ""
  # Litres | minute.
  # @schema {minimum: 0}
  # @schema {maximum: 9}
  flow: 1.5
  # Any labels.
  # @schema {use: strings}
  labels: {}
  # What it gets.
  # @schema {use: resources}
  resources: {limits: {memory: 1Gi}}
"""
DIGEST = "a" * 64


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "values.yaml"
    path.write_text(VALUES, "utf-8")
    return path


def accepts(path: Path, **pump: Any) -> bool:
    values = yaml.safe_load(VALUES)
    values["pump"] |= pump
    return jsonschema.Draft7Validator(values_schema(read_values(path))).is_valid(values)


def test_comments_directly_above_a_key_belong_to_it(path: Path) -> None:
    volume, pump = read_values(path)
    assert volume.prose == "How loud."
    assert next(pump.leaves()).prose == "Its image, by digest."
    assert [".".join(leaf.path) for leaf in pump.leaves()] == [
        "pump.image", "pump.flow", "pump.labels", "pump.resources",
    ]  # fmt: skip


def test_keywords_of_several_lines_add_up(path: Path) -> None:
    assert accepts(path, flow=9) and accepts(path, flow=0.5)
    assert not accepts(path, flow=-1)
    assert not accepts(path, flow=10)
    assert not accepts(path, flow="1")


def test_shared_keywords_are_copied_in_at_any_depth(path: Path) -> None:
    assert accepts(path, image=f"registry.example.org/pump@sha256:{DIGEST}")
    assert not accepts(path, image="registry.example.org/pump:latest")
    assert accepts(path, resources={"requests": {"cpu": "250m"}})
    assert not accepts(path, resources={"requests": {"cpu": "much"}})


def test_only_maps_that_are_declared_free_take_any_key(path: Path) -> None:
    assert accepts(path, labels={"anything": "goes"})
    assert not accepts(path, labels={"anything": 1})
    assert not accepts(path, resources={"limit": {"memory": "1Gi"}})
    assert not accepts(path, imgae="")


@pytest.mark.parametrize("text, words", [
    ("a: 1", "a has no comment"),
    ("# What it is.\na:\n  b: 1", "a.b has no comment"),
    ("# What it is.\na: null", "say its type"),
    ("# What it is.\na: []", "what is in the array"),
    ("# What it is.\na: {}", "what is in the object"),
    ("- 1", "a mapping of values"),
])  # fmt: skip
def test_values_that_nothing_describes_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "values.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=words):
        values_schema(read_values(path))


def test_the_readme_has_every_value_with_its_default_and_choices(path: Path) -> None:
    text = readme("# Pump", read_values(path))
    assert "| `volume` | `low` | How loud. One of `low`, `high`. |" in text
    assert "| `pump.flow` | `1.5` | Litres \\| minute. |" in text
    assert '| `pump.resources` | `{"limits": {"memory": "1Gi"}}` | What it gets. |' in text


CHARTS = [pytest.param(chart, id=chart.name) for chart in charts()]


@pytest.mark.parametrize("chart", CHARTS)
def test_generated_files_are_what_the_values_give(chart: Path) -> None:
    for path, fresh in generated(chart).items():
        assert path.read_text("utf-8") == fresh, f"{path.name}: run python -m helm.build"


@pytest.mark.parametrize("chart", CHARTS)
def test_a_charts_own_values_are_legal(chart: Path) -> None:
    schema = values_schema(read_values(chart / "values.yaml"))
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(yaml.safe_load((chart / "values.yaml").read_text("utf-8")))


@pytest.mark.parametrize("chart", CHARTS)
@settings(deadline=None)
@given(data=st.data())
def test_an_unknown_key_beside_any_value_is_refused(chart: Path, data: st.DataObject) -> None:
    values = read_values(chart / "values.yaml")
    validator = jsonschema.Draft7Validator(values_schema(values))
    places = sorted({leaf.path[:-1] for value in values for leaf in value.leaves()})
    place = data.draw(st.sampled_from(places))
    given_values = copy.deepcopy({value.path[-1]: value.default for value in values})
    inside = given_values
    for key in place:
        inside = inside[key]
    unknown = data.draw(
        st.text("abcdefghijklmnopqrstuvwxyz", min_size=1).filter(lambda key: key not in inside)
    )
    inside[unknown] = 1
    assert not validator.is_valid(given_values) or unknown == "global"
