"""The compiled pipelines in the tree are what the code compiles to, and suit Kubeflow's form."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pipelines.build import COMPILED, PARTIES, PIPELINES, compile_to, differences

from wardround.kubeflow.profile import Profile

NAMES = sorted(PIPELINES)
COMPONENTS = ("compile", "preprocess", "train", "aggregate", "evaluate")


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all((COMPILED / f"{name}.yaml").read_text()))


# What Kubeflow Pipelines 2.14 reads of a platform's configuration, as far as we use it; it ignores what is newer.
KNOWN = {
    "secretAsVolume",
    "secretAsEnv",
    "pvcMount",
    "nodeSelector",
    "podMetadata",
    "configMapAsVolume",
    "tolerations",
}
RICH = {
    "federation": "ward",
    "exchange_has_ca": True,
    "exchange_allow_http": True,
    "node_selector": {"disk": "ssd"},
    "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "labels": {"app.kubernetes.io/instance": "mine"},
    "retries": {"count": 5, "backoff_seconds": 7},
}


def platform(name: str) -> dict[str, dict[str, Any]]:
    """Step → what it wants of its namespace."""
    found = documents(name)[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return {step.removeprefix("exec-"): wanted for step, wanted in found.items()}


def mounted(wanted: dict[str, Any], kind: str, field: str) -> dict[str, bool]:
    """What is mounted → whether it may be absent."""
    return {each[field]: each["optional"] for each in wanted.get(kind, [])}


def compiled_for(pipeline: str, folder: Path, **fields: Any) -> list[Any]:
    """The documents of a pipeline for a profile."""
    profile = Profile.model_validate({"party": PARTIES[pipeline], **fields})
    return list(yaml.safe_load_all(compile_to(pipeline, profile, folder / f"{pipeline}.yaml").read_text()))


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


def test_the_hospitals_images_and_the_login_to_its_archive_reach_only_the_step_that_reads_them() -> None:
    steps = platform("site")
    images = {
        step for step, wanted in steps.items() for m in wanted["pvcMount"] if m["mountPath"] == "/images"
    }
    login = {
        step
        for step, wanted in steps.items()
        if "wardround-source" in mounted(wanted, "secretAsVolume", "secretName")
    }
    assert images == login == {"preprocess"}


def test_a_site_mounts_its_key_and_credential_and_may_lack_a_login_and_approvals() -> None:
    wanted = platform("site")["preprocess"]
    assert mounted(wanted, "secretAsVolume", "secretName") == {
        "wardround-exchange": False,
        "wardround-key": False,
        "wardround-source": True,
    }
    assert mounted(wanted, "configMapAsVolume", "configMapName") == {
        "wardround-site": False,
        "wardround-approvals": True,
    }


def test_only_the_step_that_registers_models_gets_the_registrys_password_and_only_by_reference() -> None:
    steps = platform("coordinator")
    assert [step for step, wanted in steps.items() if "secretAsEnv" in wanted] == ["aggregate"]
    (secret,) = steps["aggregate"]["secretAsEnv"]
    assert (secret["secretName"], secret["optional"]) == ("wardround-mlflow", True)


def test_compiling_a_recipe_gets_the_exchanges_credential_and_no_signing_key() -> None:
    wanted = platform("compile")["compile-recipe"]
    assert mounted(wanted, "secretAsVolume", "secretName") == {"wardround-exchange": False}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_asked_of_kubeflow_that_its_version_2_14_ignores(name: str, tmp_path: Path) -> None:
    steps = compiled_for(name, tmp_path, **RICH)[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert {key for wanted in steps.values() for key in wanted} <= KNOWN


@pytest.mark.parametrize("name", NAMES)
def test_every_step_is_placed_labelled_and_retried_as_the_profile_says(name: str, tmp_path: Path) -> None:
    spec, extra = compiled_for(name, tmp_path, **RICH)
    for wanted in extra["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
        assert wanted["nodeSelector"]["labels"] == {"disk": "ssd"}
        assert wanted["tolerations"] == [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]
        labels = wanted["podMetadata"]["labels"]
        assert labels["wardround.io/federation"] == "ward"
        assert labels["app.kubernetes.io/instance"] == "mine"
    for task in spec["root"]["dag"]["tasks"].values():
        assert task["retryPolicy"] == {
            "maxRetryCount": 5,
            "backoffDuration": "7s",
            "backoffFactor": 2.0,
            "backoffMaxDuration": "31449600s",
        }
    for container in (each["container"] for each in spec["deploymentSpec"]["executors"].values()):
        variables = {each["name"]: each["value"] for each in container["env"]}
        assert variables["WARDROUND_S3_CA_FILE"] == "/etc/wardround/exchange/ca.crt"
        assert variables["WARDROUND_S3_ALLOW_HTTP"] == "true"


def test_a_steps_resources_and_image_are_the_profiles(tmp_path: Path) -> None:
    image = "registry.example/wardround/site@sha256:" + "1" * 64
    resources = {"cpu_request": "500m", "memory_limit": "8Gi", "gpu": {"count": 2}}
    spec, _ = compiled_for("site", tmp_path, images={"train": image}, resources={"train": resources})
    steps = {step: each["container"] for step, each in spec["deploymentSpec"]["executors"].items()}
    assert steps["exec-train"]["image"] == image
    assert steps["exec-train"]["resources"]["resourceCpuRequest"] == "500m"
    assert steps["exec-train"]["resources"]["resourceMemoryLimit"] == "8Gi"
    assert steps["exec-train"]["resources"]["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert steps["exec-train"]["resources"]["accelerator"]["resourceCount"] == "2"
    assert "resources" not in steps["exec-preprocess"]
    assert steps["exec-preprocess"]["image"] != image


def test_a_site_is_named_on_its_pods_and_a_coordinator_is_not(tmp_path: Path) -> None:
    for pipeline, expected in (("site", "alder"), ("coordinator", None)):
        _, extra = compiled_for(pipeline, tmp_path, name="alder")
        for wanted in extra["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
            assert wanted["podMetadata"]["labels"].get("wardround.io/site") == expected


def test_all_steps_of_a_hospital_work_on_the_run_that_the_first_one_found() -> None:
    tasks = documents("site")[0]["root"]["dag"]["tasks"]
    for step, before in (("preprocess", "verify"), ("train", "preprocess"), ("evaluate-site", "preprocess")):
        source = tasks[step]["inputs"]["parameters"]["run"]["taskOutputParameter"]
        assert source == {"outputParameterKey": "run_name", "producerTask": before}


def test_a_hospital_that_never_verifies_has_no_step_for_it(tmp_path: Path) -> None:
    spec, _ = compiled_for("site", tmp_path, verifies=False)
    tasks = spec["root"]["dag"]["tasks"]
    assert set(tasks) == {"preprocess", "train", "evaluate-site"}
    assert tasks["preprocess"]["inputs"]["parameters"]["run"] == {"componentInputParameter": "run"}


@pytest.mark.parametrize(("name", "step"), [("site", "verify"), ("coordinator", "aggregate")])
def test_the_first_step_is_told_kubeflows_own_id_of_the_run(name: str, step: str) -> None:
    inputs = documents(name)[0]["root"]["dag"]["tasks"][step]["inputs"]["parameters"]
    assert inputs["run_id"]["runtimeValue"]["constant"] == "{{$.pipeline_job_uuid}}"


def test_every_step_of_the_pipelines_is_a_component_with_an_image() -> None:
    folder = Path(__file__).parents[2] / "components"
    images = json.loads((folder / "images.lock.json").read_text())
    assert images.keys() >= set(COMPONENTS)
    for name in (*COMPONENTS, "verify"):
        assert (folder / name / "component.py").is_file()
        assert (folder / name / "README.md").is_file()
    used = {container["image"] for name in NAMES for container in executors(name)}
    assert used == {images[name] for name in COMPONENTS}
