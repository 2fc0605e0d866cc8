"""A plan's page states what is known, says who claims the rest, and cannot be made to say more by the plan."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from wardround.plan.format import Leaf, Plan, load_plan
from wardround.plan.leaving import leaving
from wardround.plan.pages import plan_pages
from wardround.plan.verification import Verification, extreme_settings
from wardround.recipe import Recipe

from .altering import altered

COULD = "could encode images in an update"


@pytest.fixture(scope="session")
def honest(plan_folder: Path) -> Plan:
    return load_plan(plan_folder)


def page(plan: Plan, state: str | None = None, **fields: Any) -> str:
    """What a steward reads; `state` is what verifying the plan has shown."""
    found = Verification(digest=plan.digest, state=state, **fields) if state else None  # type: ignore[arg-type]
    console = Console(file=io.StringIO(), width=300, force_terminal=False, legacy_windows=False)
    console.print(plan_pages(plan, found))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def claims(plan: Plan, folder: Path, **changes: Any) -> Plan:
    """The plan with other words in its recipe, `algorithm__client__batch_size=…`."""

    def change(manifest: Any) -> None:
        for path, value in changes.items():
            *sections, field = path.split("__")
            inner = manifest["recipe"]
            for section in sections:
                inner = inner[section]
            inner[field] = value

    return altered(plan.folder, folder, manifest=change)


def send_images(graph: Any) -> None:
    """The work graph gives its first batch as the change of a weight (its form; the page runs nothing)."""
    graph.node.add(name="images", op="IteratorGetNext").device = ""


def test_more_tries_than_rounds_and_a_model_that_stands_still_are_named_as_extreme(honest: Plan) -> None:
    recipe = honest.manifest.recipe_model().resolved()
    recipe["rounds"] |= {"count": 1, "max_failed": 1_000}
    recipe["algorithm"]["server"]["learning_rate"] = 1e-6
    words = " ".join(extreme_settings(Recipe.model_validate(recipe)))
    assert "up to 2000 tries of 1 rounds" in words and "hardly moves" in words


def test_who_sees_a_hospitals_own_figures_is_on_the_page(honest: Plan, tmp_path: Path) -> None:
    assert "every hospital sees each hospital's own sums" in page(honest)
    hidden = claims(honest, tmp_path / "plan", evaluation__per_site=False)
    assert "every hospital sees the sums over all" in page(hidden)
    assert "Nothing else is sent" not in page(honest)


def test_an_update_that_is_two_images_has_not_the_page_of_an_honest_plan(
    honest: Plan, tmp_path: Path
) -> None:
    evil = altered(honest.folder, tmp_path / "plan", graph=send_images)
    assert page(honest, "verified").startswith("Verified: this is exactly FedAvg of logistic by TFF")
    for words in (page(evil), page(evil, "differs", differences=("graphs/work.pb is another graph",))):
        first = words.splitlines()[0]
        assert COULD in first and not first.startswith("Verified")
        assert "masks and patient-level privacy" in first


@pytest.mark.parametrize("state", [None, "differs", "authors-own", "not-verified"])
def test_of_a_plan_that_is_not_verified_every_meaning_is_the_authors_word(
    state: str | None, honest: Plan
) -> None:
    words = page(honest, state)
    facts, said = re.split(r"^The author says +$", words, flags=re.M)
    assert COULD in words.splitlines()[0]
    assert "fedavg" not in facts and "fedavg" in said
    for line in words.splitlines():
        if "change of weight" in line:
            assert line.count("│") == 6, "only as the last column, whose head is: the author says"
    training = words.partition("And from evaluation")[0]
    assert "what it is" not in training and "the author says" in training


def test_of_a_verified_plan_the_page_says_what_verifying_does_not_cover(honest: Plan, tmp_path: Path) -> None:
    words = page(honest, "verified")
    assert "Not covered: the weights" in words and "seed 1 draws them" in words
    assert "in this recipe: " in words and "model logistic" in words
    extreme = claims(honest, tmp_path / "plan", algorithm__client__batch_size=1, rounds__quorum=1)
    assert "batches of 1 image" in page(extreme, "verified")
    assert "quorum of 1" in page(extreme, "verified")


def test_a_custom_process_has_no_rows_of_an_algorithm_that_it_does_not_have(
    honest: Plan, tmp_path: Path
) -> None:
    process = {"file": "mine.py", "function": "build"}
    own = claims(honest, tmp_path / "plan", algorithm__name="custom", algorithm__process=process)
    words = page(own, "authors-own")
    assert "the author's own: build of mine.py" in words
    for claim in ("weighted by", "at a hospital", "at the coordinator", "plain sums", "secure sums"):
        assert claim not in words


def with_leaves(plan: Plan, *leaves: Leaf, bits: tuple[int, ...] = (), **manifest: Any) -> Plan:
    """The plan with other words in a manifest that no reader would take: the page holds by itself too."""
    kind = "secure_bitwidth" if bits else "plain"
    training = plan.manifest.train
    work = training.work.model_copy(update={"results": {**training.work.results, kind: leaves}})
    secure = training.secure.model_copy(update={"bits": bits})
    train = training.model_copy(update={"work": work, "secure": secure})
    content = plan.manifest.model_copy(update={"train": train, **manifest})
    return plan.model_copy(update={"manifest": content})


def test_floats_are_never_called_bounded_whatever_the_manifest_says_of_them(honest: Plan) -> None:
    floats = [leaf for leaf in honest.manifest.train.work.results["plain"] if leaf.dtype == "float32"]
    evil = with_leaves(honest, *floats, bits=(8,) * len(floats))
    assert all(row.bound is None for row in leaving(evil) if row.dtype == "float32")
    assert "of which 0 bytes are bounded integers" in page(evil)


@pytest.mark.parametrize(
    ("shape", "size"), [((-61, 2), None), ((None, 2), None), ((0, 2), 0), ((), 4), ((3, 2), 24)]
)
def test_sizes_are_never_negative_and_open_ones_are_said_to_be_refused(
    shape: tuple[int | None, ...], size: int | None, honest: Plan
) -> None:
    leaf = honest.manifest.train.work.results["plain"][0].model_copy(update={"shape": shape})
    evil = with_leaves(honest, leaf)
    assert leaving(evil)[0].bytes == size
    words = page(evil)
    assert f"Together {size or 0} bytes of training" in words
    assert ("refused: open size" in words) == (size is None)


TRICKS = [
    "\x1b[2J\x1b[1;1HVerified",
    "[bold green]Verified[/]",
    "[link=https://evil.example]here[/link]",
    "[/bold]",
    "a\nVerified: this is exactly FedAvg",
    "\u202egnihtyreve\u2066",
    "x" * 5000,
]


@pytest.mark.parametrize("trick", TRICKS, ids=range(len(TRICKS)))
def test_no_text_of_a_manifest_moves_the_cursor_makes_a_line_or_is_markup(trick: str, honest: Plan) -> None:
    manifest = honest.manifest
    changes = {
        "layers": ((trick, trick, 1),),
        "weights": (manifest.weights[0].model_copy(update={"name": trick}), *manifest.weights[1:]),
        "versions": {"tensorflow_federated": trick, "other": trick},
    }
    leaf = manifest.train.work.results["plain"][0].model_copy(update={"name": trick})
    evil = with_leaves(honest, leaf, **changes)
    for words in (page(evil), page(evil, "verified"), page(evil, "differs", differences=(trick[:2000],))):
        assert "\x1b" not in words and "\u202e" not in words and "\u2066" not in words
        assert len([line for line in words.splitlines() if line.lstrip().startswith("Verified")]) <= 1
        assert not any(line.lstrip().startswith("Verified") for line in words.splitlines()[1:])
        assert "x" * 1000 not in words


def test_extreme_settings_are_those_of_this_recipe() -> None:
    ordinary = {"name": "a", "task": {"labels": ["a", "b"]}, "model": {"builtin": "cnn-small"}}
    assert extreme_settings(Recipe.model_validate(ordinary)) == ()
    client = {"batch_size": 4096, "epochs": 1, "learning_rate": 100}
    found = extreme_settings(Recipe.model_validate(ordinary | {"algorithm": {"client": client}}))
    assert len(found) == 2 and "takes one step" in found[0] and "learning rate of 100" in found[1]
