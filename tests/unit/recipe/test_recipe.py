"""The recipe: its template, its defaults, and errors that a data scientist can act on."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardround.recipe import RECIPE_TEMPLATE, Recipe, load_recipe, parse_recipe
from wardround.recipe.reader import RecipeError

SHORT = """
name: short
task: {labels: [a, b]}
model: {builtin: cnn-small}
"""


def _error(text: str) -> str:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text, "recipe.yaml")
    return str(caught.value)


def test_the_template_is_a_valid_recipe_and_every_commented_default_is_the_real_one() -> None:
    recipe = parse_recipe(RECIPE_TEMPLATE)
    assert recipe.name == "pneumonia-cxr"
    assert "# bits: 8 " in RECIPE_TEMPLATE and recipe.task.image.bits == 8
    assert "# max_failed: 3 " in RECIPE_TEMPLATE and recipe.rounds.max_failed == 3
    assert "# join_deadline: 1h" in RECIPE_TEMPLATE and recipe.rounds.join_deadline == 3600


def test_defaults_make_most_lines_optional() -> None:
    recipe = parse_recipe(SHORT)
    assert recipe.algorithm.name == "fedavg"
    assert recipe.positive == 1
    assert recipe.per_site


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("algorithm: {name: fedawg}", "recipe.yaml:5: algorithm.name: legal are 'fedavg'"),
        (
            "rounds: {count: 0}",
            "recipe.yaml:5: rounds.count: input should be greater than or equal to 1 (value 0)",
        ),
        (
            "rounds: {deadline: soon}",
            "recipe.yaml:5: rounds.deadline: a duration is a number with s, m, h or d",
        ),
        ("evaluation: {evry: 1}", "recipe.yaml:5: evaluation.evry: no such key; legal are every, positive"),
        (
            "algorithm: {client: {optimiser: adam}}",
            "algorithm.client.optimiser: no such key; legal are optimizer",
        ),
        ("evaluation: {positive: c}", "evaluation.positive is 'c', legal are the labels ['a', 'b']"),
        (
            "aggregation: {secure: true, compressed: true}",
            "recipe.yaml:5: aggregation: secure and compressed",
        ),
        ("algorithm: {name: fedprox}", "proximal_strength belongs to fedprox, which needs it"),
        ("algorithm: {name: fedsgd, client: {epochs: 2}}", "fedsgd takes one gradient over all examples"),
        (
            "algorithm: {client: {optimizer: adam, momentum: 0.9}}",
            "momentum belongs to optimizer sgd, not adam",
        ),
    ],
)
def test_an_error_names_the_line_the_value_and_the_legal_values(change: str, expected: str) -> None:
    assert expected in _error(SHORT.lstrip("\n") + "\n" + change)


def test_all_mistakes_are_told_at_once() -> None:
    assert len(_error(SHORT + "rounds: {count: -1, quorum: 0}\nseed: x\n").splitlines()) == 3


def test_secure_aggregation_and_figures_of_single_sites_exclude_each_other() -> None:
    assert "only sums leave" in _error(SHORT + "aggregation: {secure: true}\nevaluation: {per_site: true}\n")
    assert not parse_recipe(SHORT + "aggregation: {secure: true}\n").per_site


def test_a_model_for_volumes_needs_a_size_of_three_numbers() -> None:
    assert "cnn3d-gn takes volumes" in _error(SHORT.replace("cnn-small", "cnn3d-gn"))
    volumes = SHORT.replace("cnn-small", "cnn3d-gn").replace("[a, b]", "[a, b], image: {size: [16, 48, 48]}")
    assert parse_recipe(volumes).task.image.size == (16, 48, 48)


def test_a_spacing_belongs_to_volumes() -> None:
    flat = SHORT.replace("[a, b]", "[a, b], image: {size: [16, 48], spacing: [3, 1, 1]}")
    assert "task.image: spacing belongs to volumes" in _error(flat)
    deep = SHORT.replace("cnn-small", "cnn3d-gn").replace(
        "[a, b]", "[a, b], image: {size: [16, 48, 48], spacing: [3, 1.5, 1.5]}"
    )
    assert parse_recipe(deep).task.image.spacing == (3, 1.5, 1.5)
    assert "greater than 0" in _error(deep.replace("[3,", "[0,"))


def test_broken_yaml_and_missing_files_are_recipe_errors(tmp_path: Path) -> None:
    assert "not valid YAML: line 1" in _error("name: [a")
    assert "mapping of keys" in _error("- 1")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "absent.yaml")


@given(st.text(max_size=60))
def test_no_text_raises_anything_but_a_recipe_error(text: str) -> None:
    with pytest.raises(RecipeError):
        parse_recipe(text)


@given(st.integers(1, 29), st.sampled_from("smhd"))
def test_durations_are_seconds(count: int, unit: str) -> None:
    recipe = parse_recipe(SHORT + f"rounds: {{deadline: {count}{unit}}}\n")
    assert recipe.rounds.deadline == count * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]


def test_a_resolved_recipe_is_complete_and_reads_back_as_itself() -> None:
    recipe = parse_recipe(RECIPE_TEMPLATE)
    assert Recipe.model_validate(recipe.resolved()) == recipe
    assert recipe.flat()["algorithm.client.learning_rate"] == 0.02
