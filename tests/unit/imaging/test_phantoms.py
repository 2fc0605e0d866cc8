"""Phantoms are valid, varied, the same for the same seed, and say what they are."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from imaging_cases import Settings
from scipy.ndimage import zoom

from wardround.imaging.intake import preprocess
from wardround.imaging.reading.header import quiet
from wardround.imaging.reading.pixels import read_grey, to_unit
from wardround.local import phantoms, phantoms_mr


@pytest.mark.parametrize("site", phantoms.HOSPITALS, ids=lambda site: site.name)
def test_an_x_ray_phantom_shows_a_bright_body_whatever_the_scanner(
    tmp_path: Path, site: phantoms.ScannerProfile
) -> None:
    phantoms.generate_xray_site(tmp_path, site, 3, seed=1)
    for path in (tmp_path / "dicom").iterdir():
        dataset = pydicom.dcmread(path)
        assert (dataset.Rows, dataset.Columns, dataset.BitsStored) == (site.rows, site.columns, site.bits)
        assert dataset.Manufacturer == "WARDROUND PHANTOM" and dataset.ImageComments == "generated"
        with quiet():
            unit = to_unit(read_grey(path, 1 << 24))
        middle = site.columns // 2
        assert unit[-20:, middle - 10 : middle + 10].mean() > unit[-20:, :4].mean() + 0.2


def test_the_same_seed_gives_the_same_files_and_another_one_does_not(tmp_path: Path) -> None:
    site = phantoms.HOSPITALS[0]
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        phantoms.generate_xray_site(tmp_path / name, site, 2, seed)
    first, again, other = ((tmp_path / name / "dicom" / "00000.dcm").read_bytes() for name in "abc")
    assert first == again != other


def test_an_opacity_changes_only_a_part_of_the_lungs() -> None:
    body = phantoms._body(np.random.default_rng(3))
    without, with_one = (
        phantoms.attenuation(body, (128, 128), np.random.default_rng(5), opacity=opacity)
        for opacity in (False, True)
    )
    changed = np.abs(with_one - without) > 0.03
    assert 0.002 < changed.mean() < 0.12


def test_mr_phantoms_of_all_scanners_become_volumes_that_agree(tmp_path: Path, settings: Settings) -> None:
    means = []
    for site in phantoms_mr.HOSPITALS:
        labels = phantoms_mr.generate_mr_site(tmp_path / site.name, site, 6, seed=1)
        chosen = settings(labels=phantoms_mr.LABELS, size=(8, 24, 24), modality=("MR",), fractions=(1, 0, 0))
        info = preprocess(labels.parent / "dicom", labels, tmp_path / f"{site.name}.out", chosen)
        assert info.refusals == {} and info.splits["train"].count == 6
        from wardround.imaging.shards import load_split

        means.append(load_split(tmp_path / f"{site.name}.out", "train").images.mean(axis=0).ravel())
    assert np.corrcoef(means).min() > 0.9


def _head(seed: int, *, lesion: bool = False, water: float = 1.5) -> np.ndarray:
    return phantoms_mr.head((20, 64, 64), np.random.default_rng(seed), lesion=lesion, water=water)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("site", phantoms_mr.HOSPITALS, ids=lambda site: site.name)
def test_a_lesion_is_a_small_bright_thing_in_the_brain_that_an_intake_keeps(
    site: phantoms_mr.MRProfile, seed: int
) -> None:
    heads = (_head(seed, lesion=lesion, water=site.water) for lesion in (False, True))
    without, with_one = (zoom(head, (0.8, 0.5, 0.5), order=1) for head in heads)
    added = with_one - without
    # Far above the scanner's noise, and no brighter than fat, which every head has.
    assert 3 * site.noise < added.max() < 0.7
    assert 10 < (added > 0.1).sum() < 0.02 * added.size
    assert without[added > 0.1].min() > 0.3


@pytest.mark.parametrize("seed", range(5))
def test_a_head_has_a_dark_skull_between_bright_scalp_and_brain(seed: int) -> None:
    across = _head(seed)[10, 32]
    scalp = int(np.argmax(across[:20]))
    assert across[scalp] > 1.1
    assert across[scalp : scalp + 5].min() < 0.8


def test_two_hospitals_show_water_bright_and_two_suppress_it() -> None:
    brain = _head(1, water=1.0)
    signs = [np.sign((_head(1, water=site.water) - brain)[10].sum()) for site in phantoms_mr.HOSPITALS]
    assert signs == [1, -1, 1, -1]
