"""Real images with a manifest become hospitals' DICOM exports."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from wardround.errors import ConfigurationError
from wardround.imaging.reading.header import quiet
from wardround.imaging.reading.pixels import read_grey, to_unit
from wardround.local.wrap import dns_label, wrap_images

XRAYS = Path(__file__).parents[4] / "shared" / "data" / "cxr_sites"


def folder(tmp_path: Path, rows: list[tuple[str, str, str, str]], dtype: str = "uint8") -> Path:
    images = tmp_path / "images"
    (images / "img").mkdir(parents=True)
    top = np.iinfo(dtype).max
    for name, *_ in rows:
        if ".." not in name:
            grey = np.linspace(0, top, 30 * 20).reshape(30, 20).astype(dtype)
            Image.fromarray(grey).save(images / "img" / name)
    with (images / "manifest.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("file", "site", "patient", "view"), *rows])
    return images


def patients(labels: Path) -> Counter[str]:
    return Counter(str(pydicom.dcmread(path).PatientID) for path in (labels.parent / "dicom").glob("*.dcm"))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_grey_values_and_labels_survive(tmp_path: Path, dtype: str) -> None:
    images = folder(tmp_path, [("a.png", "Big Site (US)", "p1", "AP"), ("b.png", "Other", "p2", "")], dtype)
    sites = wrap_images(images, tmp_path / "out", "view")
    assert list(sites) == ["big-site-us", "other"]
    path = sites["big-site-us"].parent / "dicom" / "00000.dcm"
    with quiet():
        unit = to_unit(read_grey(path, 1 << 20))
    np.testing.assert_allclose(unit, np.linspace(0, 1, 600).reshape(30, 20), atol=5e-3)
    assert sites["big-site-us"].read_text().split() == [
        "sop_instance,label",
        f"{pydicom.dcmread(path).SOPInstanceUID},AP",
    ]
    assert sites["other"].read_text().split() == ["sop_instance,label"]


def test_a_site_is_divided_by_patient_evenly_and_always_alike(tmp_path: Path) -> None:
    rows = [(f"{n}.png", "NIH", f"p{n % 23}", "AP") for n in range(60)]
    images = folder(tmp_path, rows)
    first, again = (wrap_images(images, tmp_path / name, "view", {"NIH": 2}, seed=3) for name in ("a", "b"))
    one, two = patients(first["nih-1"]), patients(first["nih-2"])
    assert not set(one) & set(two) and abs(one.total() - two.total()) <= 3
    assert patients(again["nih-1"]) == one
    assert patients(wrap_images(images, tmp_path / "c", "view", {"NIH": 2}, seed=4)["nih-1"]) != one


@pytest.mark.parametrize("name", ["../secret.png", "../../etc/passwd", "/etc/passwd"])
def test_a_file_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    images = folder(tmp_path, [])
    (images / "manifest.csv").write_text(f"file,site,patient,view\n{name},S,p,AP\n")
    with pytest.raises(ConfigurationError, match="outside"):
        wrap_images(images, tmp_path / "out", "view")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    images = folder(tmp_path, [("a.png", "S", "p", "AP")])
    (images / "img" / "a.png").rename(tmp_path / "a.png")
    (images / "img" / "a.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(ConfigurationError, match="outside"):
        wrap_images(images, tmp_path / "out", "view")


def test_a_colour_image_is_refused(tmp_path: Path) -> None:
    images = folder(tmp_path, [("a.png", "S", "p", "AP")])
    Image.new("RGB", (9, 9)).save(images / "img" / "a.png")
    with pytest.raises(ConfigurationError, match="mode RGB"):
        wrap_images(images, tmp_path / "out", "view")


def test_a_missing_column_or_site_is_named(tmp_path: Path) -> None:
    images = folder(tmp_path, [("a.png", "S", "p", "AP")])
    with pytest.raises(ConfigurationError, match="finding"):
        wrap_images(images, tmp_path / "out", "finding")
    with pytest.raises(ConfigurationError, match="legal: S"):
        wrap_images(images, tmp_path / "out", "view", {"T": 2})


def test_two_sites_of_one_dns_name_are_refused(tmp_path: Path) -> None:
    images = folder(tmp_path, [("a.png", "S 1", "p", "AP"), ("b.png", "s-1", "p", "AP")])
    with pytest.raises(ConfigurationError, match="s-1"):
        wrap_images(images, tmp_path / "out", "view")


@given(st.text(max_size=100))
def test_a_site_name_becomes_a_dns_label_or_is_refused(name: str) -> None:
    try:
        label = dns_label(name)
    except ConfigurationError:
        return
    assert 1 <= len(label) <= 63 and label.isascii() and label.strip("-") == label and label == label.lower()


@pytest.mark.skipif(not XRAYS.is_dir(), reason="the X-rays of the two sites are not here")
def test_the_x_rays_of_two_sites_become_three_hospitals(tmp_path: Path) -> None:
    sites = wrap_images(XRAYS, tmp_path, "projection", {"NIH-Bethesda-US": 2})
    assert list(sites) == ["mhh-hannover-de", "nih-bethesda-us-1", "nih-bethesda-us-2"]
    counts = [len(list((labels.parent / "dicom").iterdir())) for labels in sites.values()]
    assert sum(counts) == 840 and abs(counts[1] - counts[2]) < 20
