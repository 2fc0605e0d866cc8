"""Names of runs that are made up, and runs in a list of keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardround.errors import ConfigurationError
from wardround.exchange.layout import RunKeys, check_run, run_name, run_of


@given(st.text(max_size=100))
def test_whatever_a_recipe_is_called_its_run_has_a_legal_name_that_ends_as_it_should(text: str) -> None:
    name = run_name(text, ending="ab12cd34-4fdb2f3f")
    assert check_run(name) == name
    assert name.endswith("-ab12cd34-4fdb2f3f")


def test_a_name_that_is_legal_stays_and_one_that_is_not_is_spelled_legally() -> None:
    assert run_name("chest-opacity", ending="1") == "chest-opacity-1"
    assert run_name("Lunge / Röntgen (2)", ending="1") == "lunge-r-ntgen-2-1"
    assert run_name("…", ending="1") == "run-1"


def test_an_ending_that_is_no_part_of_a_name_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        run_name("chest", ending="A/B")


def test_a_runs_own_files_are_known_by_their_keys_and_nothing_else_is() -> None:
    keys = RunKeys("first")
    assert run_of(keys.description, "run.json") == "first"
    assert run_of(keys.final, "run.json") is None
    assert run_of(keys.round_file(1, "run.json"), "run.json") is None
    assert run_of("plans/run.json", "run.json") is None
    assert run_of("runs/Not-Legal/run.json", "run.json") is None
    assert run_of("runs/" + "a" * 64 + "/run.json", "run.json") is None
