"""The compiled pipelines in the tree are what the code compiles to, and suit Kubeflow's form."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pipelines.build import COMPILED, PIPELINES, differences

NAMES = sorted(PIPELINES)
COMPONENTS = ("compile", "preprocess", "train", "aggregate", "evaluate")


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all((COMPILED / f"{name}.yaml").read_text()))


def executors(name: str) -> list[dict[str, Any]]:
    return [executor["container"] for executor in documents(name)[0]["deploymentSpec"]["executors"].values()]


def test_the_compiled_pipelines_are_those_of_the_code() -> None:
    assert list(differences()) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_has_a_default(name: str) -> None:
    inputs = documents(name)[0]["root"]["inputDefinitions"]["parameters"]
    assert [key for key, value in inputs.items() if "defaultValue" not in value] == []


@pytest.mark.parametrize("name", NAMES)
def test_no_step_is_cached_and_every_step_is_retried(name: str) -> None:
    for task in documents(name)[0]["root"]["dag"]["tasks"].values():
        assert not task["cachingOptions"].get("enableCache", False)
        assert task["retryPolicy"]["maxRetryCount"] > 0


@pytest.mark.parametrize("name", NAMES)
def test_images_are_named_by_digest_and_steps_get_the_executor_input(name: str) -> None:
    for container in executors(name):
        assert "@sha256:" in container["image"]
        assert container["command"] == ["python", "-m", "wardround"]
        assert container["args"][-2:] == ["--executor-input", "{{$}}"]


def test_the_hospitals_images_reach_only_the_step_that_reads_them() -> None:
    platform = documents("site")[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    mounted = {
        name for name, spec in platform.items() for m in spec["pvcMount"] if m["mountPath"] == "/images"
    }
    assert mounted == {"exec-preprocess"}


def test_every_step_of_the_pipelines_is_a_component_with_an_image() -> None:
    folder = Path(__file__).parents[2] / "components"
    images = json.loads((folder / "images.lock.json").read_text())
    for name in COMPONENTS:
        assert name in images
        assert (folder / name / "component.py").is_file()
        assert (folder / name / "README.md").is_file()
    used = {container["image"] for name in NAMES for container in executors(name)}
    assert used == {images[name] for name in COMPONENTS}
