"""A hospital's data set is compared with the plan before anything runs, and none of its images vanishes without a word.

Reported to other systems as "one client trains with swapped labels" and "NaN in one image silently drops the client".
"""

from pathlib import Path

import numpy as np
import pytest
from federation import FEDERATION, SITES, Federation, World

from wardround.errors import RefusedError
from wardround.imaging.dataset import DatasetError
from wardround.imaging.shards import load_split, write_dataset
from wardround.plan.checks import Site, check_update
from wardround.plan.data import Examples
from wardround.plan.format import load_plan
from wardround.plan.program import Program
from wardround.plan.simulation import received
from wardround.site.data import ShardedData


@pytest.fixture(scope="module")
def program(plan_folder: Path) -> Program:
    return Program(load_plan(plan_folder), threads=1)


def dataset(
    folder: Path, labels: list[str], shape: tuple[int, ...] = (8, 8, 1), **settings: object
) -> ShardedData:
    images = np.random.default_rng(1).integers(0, 255, (6, *shape)).astype(np.uint8)
    split = (images, np.arange(6) % len(labels))
    write_dataset(
        folder, dict.fromkeys(("train", "validation", "test"), split), labels, settings=settings or None
    )
    return ShardedData(folder)


@pytest.mark.parametrize(
    ("labels", "shape", "settings", "said"),
    [
        (
            ["opacity", "normal"],
            (8, 8, 1),
            {},
            "has labels opacity, normal; the plan learns labels normal, opacity",
        ),
        (["Normal", "opacity"], (8, 8, 1), {}, "has labels Normal, opacity"),
        (["normal", "opacity", "effusion"], (8, 8, 1), {}, "has labels normal, opacity, effusion"),
        (["normal"], (8, 8, 1), {}, "has labels normal;"),
        (["normal", "opacity"], (8, 9, 1), {}, "images of 8, 9, 1; the plan learns images of 8, 8, 1"),
        (["normal", "opacity"], (8, 8, 8, 1), {}, "images of 8, 8, 8, 1"),
        (
            ["normal", "opacity"],
            (8, 8, 1),
            {"spacing": [1.0, 1.0, 2.0]},
            "voxels (mm) of 1.0, 1.0, 2.0; the plan",
        ),
    ],
)
def test_other_data_than_the_plan_learns_from_is_refused_in_a_sentence(
    labels: list[str],
    shape: tuple[int, ...],
    settings: dict[str, object],
    said: str,
    program: Program,
    tmp_path: Path,
) -> None:
    with pytest.raises(RefusedError) as caught:
        dataset(tmp_path / "data", labels, shape, **settings).check(program)
    assert caught.value.code == "wrong-dataset" and said in str(caught.value)
    assert "Nothing was trained or sent" in str(caught.value)


def test_the_data_that_the_plan_learns_from_is_taken(program: Program, tmp_path: Path) -> None:
    dataset(tmp_path / "plain", ["normal", "opacity"]).check(program)
    dataset(tmp_path / "said", ["normal", "opacity"], spacing=None).check(program)


def test_a_hospital_with_swapped_labels_joins_nothing_and_the_run_goes_on(
    world: World, tmp_path: Path
) -> None:
    class Swapped(Federation):
        def site_settings(self, site: str):  # type: ignore[no-untyped-def]
            settings = super().site_settings(site)
            return settings.model_copy(update={"data": tmp_path / "data"}) if site == "cedar" else settings

    dataset(tmp_path / "data", ["opacity", "normal"])
    run = Swapped(world, "swapped-labels", {"join_deadline_s": 8})
    try:
        coordinator, *sites = run.start_all()
        assert [site.wait() for site in sites] == [0, 0, 1] and coordinator.wait() == 0
        assert "the plan learns labels normal, opacity" in sites[2].text()
        assert all("cedar" not in outcome.accepted for outcome in run.outcomes())
    finally:
        run.close()
    assert (FEDERATION, SITES[2]) == ("ward", "cedar")


def test_the_update_of_a_hospital_without_training_images_is_legal(program: Program) -> None:
    state = program.initialize()
    nothing = Examples(np.zeros((0, 8, 8, 1), np.float32), np.zeros(0, np.int32), 1.0)
    update = program.work(nothing, np.arange(0), received(program.prepare(state)))
    check_update(program, ("train",), update, Site(examples={"train": 0}, members=3, state=state))


def test_an_image_that_is_not_finite_is_named_by_its_place_and_never_by_its_value(tmp_path: Path) -> None:
    images = np.random.default_rng(1).uniform(0, 1, (30, 4, 4, 1)).astype(np.float32)
    images[7, 0, 0, 0], images[29, 3, 3, 0] = np.nan, -np.inf
    split = (images, np.arange(30) % 2)
    write_dataset(tmp_path / "data", {"train": split}, ["a", "b"])
    with pytest.raises(
        DatasetError, match=r"2 of 30 images hold NaN or infinity, at the places 7, 29 \(from 0\)"
    ):
        load_split(tmp_path / "data", "train")
