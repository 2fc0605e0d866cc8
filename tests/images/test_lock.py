"""The lock of images: what pipelines and charts read, and what building writes."""

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from components import build
from components.archives import Layer, read_archive
from components.engines import EngineError, find_engine
from components.images import IMAGES, image

ROOT = Path(__file__).parents[2]
MANIFEST = {
    "layers": [{"digest": "sha256:" + "1" * 64, "size": 7}, {"digest": "sha256:" + "2" * 64, "size": 5}]
}
DIGEST = "sha256:" + "a" * 64


def references(digit: str) -> dict[str, str]:
    return {name: f"registry.example/mirror/{name}@sha256:{digit * 64}" for name in build.NAMES}


@pytest.fixture
def own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "own.json"
    path.write_text(json.dumps({name: references("b")[of] for name, of in IMAGES.items()}))
    monkeypatch.setenv("WARDROUND_IMAGES_LOCK", str(path))
    return path


def save(path: Path, files: dict[str, Any]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            data = json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def oci(manifest: dict[str, Any], count: int = 1) -> dict[str, Any]:
    index = {"manifests": [{"digest": DIGEST}] * count}
    return {"index.json": index, f"blobs/{DIGEST.replace(':', '/')}": manifest}


def test_the_lock_names_every_component_by_digest() -> None:
    lock = json.loads((ROOT / "components" / "images.lock.json").read_text())
    assert lock.keys() == IMAGES.keys()
    assert all("@sha256:" in reference for reference in lock.values())
    assert lock["aggregate"] == lock["evaluate"]


def test_charts_have_the_same_lock() -> None:
    lock = (ROOT / "components" / "images.lock.json").read_bytes()
    for chart in (ROOT / "helm").glob("*/Chart.yaml"):
        assert chart.with_name("images.lock.json").read_bytes() == lock, chart


def test_a_lock_of_ones_own_replaces_the_published_one(own_lock: Path) -> None:
    assert image("evaluate") == references("b")["coordinator"]


def test_pipelines_compile_with_the_images_of_that_lock(own_lock: Path, tmp_path: Path) -> None:
    # In this process the components' modules are loaded, with the images of their import.
    code = "import sys; from pathlib import Path; from pipelines.build import build; build(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=True, cwd=ROOT)
    text = (tmp_path / "out" / "site.yaml").read_text()
    assert set(yaml_images(text)) == {
        references("b")[name] for name in ("compile", "preprocess", "train", "coordinator")
    }


def yaml_images(text: str) -> list[str]:
    spec = next(iter(yaml.safe_load_all(text)))
    return [each["container"]["image"] for each in spec["deploymentSpec"]["executors"].values()]


def test_building_some_images_leaves_the_others_as_they_were_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "ROOT", tmp_path)
    (tmp_path / "build").mkdir()
    build.write_lock({"coordinator": references("c")["coordinator"]})
    lock = json.loads((tmp_path / "build" / "images.lock.json").read_text())
    assert lock["aggregate"] == lock["evaluate"] == references("c")["coordinator"]
    assert lock["train"] == image("train")
    assert yaml.safe_load((tmp_path / "build" / "images.values.yaml").read_text()) == {"images": lock}


def test_the_lock_goes_to_the_components_and_into_each_chart(tmp_path: Path) -> None:
    for folder in ("build", "components", "helm/one", "helm/two"):
        (tmp_path / folder).mkdir(parents=True)
    for chart in ("one", "two"):
        (tmp_path / "helm" / chart / "Chart.yaml").touch()
    (tmp_path / "build" / "images.lock.json").write_text("{}\n")
    assert [path.relative_to(tmp_path).parent.name for path in build.copy_lock(tmp_path)] == [
        "components",
        "one",
        "two",
    ]
    assert all(path.read_text() == "{}\n" for path in build.copy_lock(tmp_path))


def test_an_archives_digest_and_layers_are_those_of_its_manifest(tmp_path: Path) -> None:
    archive = read_archive(save(tmp_path / "image.tar", oci(MANIFEST)))
    assert archive.digest == DIGEST
    assert archive.layers[1] == Layer("sha256:" + "2" * 64, 5)
    assert archive.size == 12


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"manifest.json": []}, "no OCI archive"),
        (oci(MANIFEST, count=2), "holds 2 images"),
        (oci({"manifests": []}), "several platforms"),
    ],
)
def test_anything_else_is_no_archive_of_an_image(tmp_path: Path, files: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_archive(save(tmp_path / "image.tar", files))


def test_what_two_images_share_counts_once(tmp_path: Path) -> None:
    one = read_archive(save(tmp_path / "one.tar", oci(MANIFEST)))
    lines = list(build.table({"train": one, "preprocess": one}))
    assert "0 MB of it new" in lines[1]


def test_an_engine_that_is_unknown_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(EngineError, match="'crun'; legal: podman, buildah, docker"):
        find_engine({"IMAGE_ENGINE": "crun"})


def test_a_command_of_ones_own_builds_in_the_engines_place(tmp_path: Path) -> None:
    script = tmp_path / "build.sh"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/words\n')
    script.chmod(0o755)
    engine = find_engine({"IMAGE_ENGINE": "podman", "IMAGE_BUILD": f"{script} first"})
    engine.build(Path("components/Dockerfile"), "train", "registry.example/train:1", ["--label", "a=b"])
    words = [
        "first",
        "components/Dockerfile",
        "registry.example/train:1",
        ".",
        "--target",
        "train",
        "--label",
        "a=b",
    ]
    assert (tmp_path / "words").read_text().splitlines() == words


def test_a_build_that_fails_says_which_command_it_was() -> None:
    engine = find_engine({"IMAGE_ENGINE": "podman", "IMAGE_BUILD": "false"})
    with pytest.raises(EngineError, match=r"^false components/Dockerfile"):
        engine.build(Path("components/Dockerfile"), "train", "registry.example/train:1", [])
