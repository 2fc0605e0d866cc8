"""Words that YAML reads as something else, and one mistake that is told once (the "Norway problem" of many trackers)."""

import pytest

from wardround.recipe.reader import RecipeError, parse_recipe

RECIPE = "name: a\ntask: {labels: LABELS}\nmodel: {builtin: logistic}\n"


@pytest.mark.parametrize(
    ("labels", "read_as"),
    [
        ("[yes, no]", "true or false"),
        ("[b, off]", "true or false"),
        ("[b, 1]", "a number or a date"),
        ("[b, 1.5]", "a number or a date"),
        ("[b, 2020-01-01]", "a number or a date"),
        ("[b, null]", "nothing"),
        ("[b, ~]", "nothing"),
    ],
)
def test_a_label_that_yaml_reads_as_something_else_is_to_be_quoted(labels: str, read_as: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(RECIPE.replace("LABELS", labels))
    for line in str(caught.value).splitlines():
        assert (
            line.startswith("recipe:2: task.labels.")
            and f"write it in quotes: YAML reads it as {read_as}" in line
        )


@pytest.mark.parametrize("labels", ['["", b]', '[" ", b]', '["a ", b]'])
def test_an_empty_label_is_one_mistake_and_not_two(labels: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(RECIPE.replace("LABELS", labels))
    assert len(str(caught.value).splitlines()) == 1
