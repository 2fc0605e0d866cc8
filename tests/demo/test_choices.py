"""What follows from the options, from a manifest, and from an earlier demo."""

import csv
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardround.errors import ConfigurationError
from wardround.local.demo_choices import Wishes, choose, resume, save
from wardround.local.images import LARGEST_RATIO, Manifest

CXR = Path(__file__).parents[3] / "shared" / "data" / "cxr_sites"


def write_manifest(folder: Path, rows: Iterable[dict[str, str]]) -> Path:
    """A manifest without its images."""
    found = list(rows)
    with (folder / "manifest.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(found[0]))
        table.writeheader()
        table.writerows(found)
    return folder


def rows(site: str, count: int, column: str = "projection") -> list[dict[str, str]]:
    """Images of a site, every second one AP."""
    labels = ("AP", "PA")
    return [
        {"file": f"{site}{i}.png", "site": site, "patient": f"{i}", column: labels[i % 2]}
        for i in range(count)
    ]


@pytest.mark.skipif(not CXR.is_dir(), reason="the X-rays of two sites are not on this machine")
def test_two_sites_of_real_x_rays_become_three_hospitals_that_tell_projections_apart() -> None:
    choices = choose(Wishes(Path("demo"), images=CXR))
    assert list(choices.sites) == ["mhh-hannover-de", "nih-bethesda-us-1", "nih-bethesda-us-2"]
    assert choices.label == "projection"
    assert choices.recipe.task.labels == ("AP", "PA")
    assert choices.data == "real images"


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 10_000), min_size=1))
def test_no_hospital_has_more_than_three_times_the_images_of_the_smallest_site(
    images: dict[str, int],
) -> None:
    split = Manifest("label", ("x", "y"), images).split(())
    largest = max(count / split.get(site, 1) for site, count in images.items())
    assert largest <= LARGEST_RATIO * min(images.values())
    assert all(parts > 1 for parts in split.values())


def test_a_column_called_label_goes_before_others(tmp_path: Path) -> None:
    found = [row | {"label": "sick" if i else "well"} for i, row in enumerate(rows("a", 4))]
    assert Manifest.read(write_manifest(tmp_path, found)).labels == ("sick", "well")
    assert Manifest.read(tmp_path, "projection").labels == ("AP", "PA")


def test_a_split_names_a_site_by_its_start(tmp_path: Path) -> None:
    manifest = Manifest.read(write_manifest(tmp_path, rows("NIH-Bethesda", 6) + rows("Hannover", 6)))
    assert manifest.split(["nih=3"]) == {"NIH-Bethesda": 3}
    assert manifest.hospitals({"NIH-Bethesda": 2}) == ["hannover", "nih-bethesda-1", "nih-bethesda-2"]


@pytest.mark.parametrize("text", ["", "=2", "NIH", "NIH=0", "NIH=two", "Mayo=2"])
def test_an_illegal_split_is_refused_with_the_sites_that_there_are(tmp_path: Path, text: str) -> None:
    manifest = Manifest.read(write_manifest(tmp_path, rows("NIH-Bethesda", 6)))
    with pytest.raises(ConfigurationError, match="NIH-Bethesda"):
        manifest.split([text])


@pytest.mark.parametrize(
    "wishes",
    [
        Wishes(Path("demo"), sites=1),
        Wishes(Path("demo"), sites=5),
        Wishes(Path("demo"), modality="ultrasound"),
        Wishes(Path("demo"), label="finding"),
        Wishes(Path("demo"), split=("a=2",)),
    ],
)
def test_options_that_do_not_fit_are_refused(wishes: Wishes) -> None:
    with pytest.raises(ConfigurationError):
        choose(wishes)


@pytest.mark.parametrize(("modality", "axes"), [("xray", 2), ("mr", 3)])
def test_generated_data_is_called_generated(modality: str, axes: int) -> None:
    choices = choose(Wishes(Path("demo"), modality=modality, sites=3, rounds=2))
    assert choices.data == "generated"
    assert "GENERATED" in choices.described()
    assert len(choices.sites) == 3
    assert choices.recipe.rounds.count == 2
    assert len(choices.recipe.task.image.size) == axes


def test_a_demo_is_resumed_as_it_was_chosen(tmp_path: Path) -> None:
    chosen = choose(Wishes(tmp_path, sites=2, seed=7))
    save(chosen, tmp_path / "state.json")
    assert resume(Wishes(tmp_path, resume=True), tmp_path / "state.json") == chosen


def test_more_rounds_need_a_new_run(tmp_path: Path) -> None:
    save(choose(Wishes(tmp_path, rounds=3)), tmp_path / "state.json")
    assert resume(Wishes(tmp_path, rounds=3, resume=True), tmp_path / "state.json")
    with pytest.raises(ConfigurationError, match=r"opened with 3 rounds.*--fresh"):
        resume(Wishes(tmp_path, rounds=9, resume=True), tmp_path / "state.json")


def test_other_data_needs_a_new_run(tmp_path: Path) -> None:
    save(choose(Wishes(tmp_path)), tmp_path / "state.json")
    with pytest.raises(ConfigurationError, match="--modality"):
        resume(Wishes(tmp_path, modality="mr", resume=True), tmp_path / "state.json")
