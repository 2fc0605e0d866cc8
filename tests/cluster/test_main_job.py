"""The main job on the cluster: three hospitals and a coordinator, from a recipe to a model that predicts."""

import json
from typing import Any

import mlflow
import numpy as np
from mlflow import MlflowClient
from numpy.typing import NDArray
from tests.cluster import kubeflow, people
from tests.cluster.demo import ROUNDS, Demo
from tests.cluster.federation import COORDINATOR, SITES, Cluster
from tests.cluster.first_run import RUN, Finished
from tests.cluster.people import MLFLOW


def test_every_run_of_the_federation_succeeds(finished: Finished) -> None:
    assert set(finished.states.values()) == {"SUCCEEDED"}, finished.states


def test_the_plan_is_the_one_that_the_demo_compiles(finished: Finished, demo: Demo) -> None:
    assert finished.digest == demo.digest


def test_every_round_is_a_model_version_and_the_best_one_is_the_champion(
    finished: Finished, registry: MlflowClient, demo: Demo
) -> None:
    found = registry.search_model_versions(f"name = '{demo.model_name}'")
    mine = [version for version in found if version.tags["run"] == RUN]
    assert sorted(int(version.tags["round"]) for version in mine) == list(range(1, ROUNDS + 1))
    assert registry.get_model_version_by_alias(demo.model_name, "champion").tags["round"]


def test_the_champion_predicts_what_the_demos_predicts(
    finished: Finished, registry: MlflowClient, demo: Demo
) -> None:
    images = np.random.default_rng(5).random((16, *_shape(demo)), dtype=np.float32)
    best = MlflowClient(demo.registry, demo.registry).get_model_version_by_alias(demo.model_name, "champion")
    # Other tests' runs may have the alias by now.
    (version,) = registry.search_model_versions(
        f"name = '{demo.model_name}' AND tags.run = '{RUN}' AND tags.round = '{best.tags['round']}'"
    )
    ours = _predict(f"models:/{demo.model_name}/{version.version}", MLFLOW, images)
    theirs = _predict(f"models:/{demo.model_name}@champion", demo.registry, images)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_status_tells_rounds_sites_and_where_to_look(
    finished: Finished, cluster: Cluster, demo: Demo
) -> None:
    found = people.status(cluster, RUN)
    assert found["state"] == "finished", found
    assert {site["site"]: site["word"] for site in found["sites"]} == dict.fromkeys(SITES, "joined")
    trained = [each for each in found["rounds"] if each["status"] == "completed"]
    assert [sorted(each["accepted"]) for each in trained] == [sorted(SITES)] * ROUNDS
    assert found["model_link"] == f"{MLFLOW}/#/models/{demo.model_name}"
    assert any(finished.runs[COORDINATOR].run_id in part["link"] for part in found["kubeflow"])


def test_pods_are_in_their_own_namespace_without_privileges_and_their_number_is_that_of_steps(
    finished: Finished,
) -> None:
    for namespace, run in finished.runs.items():
        pods = kubeflow.run_pods(run)
        # One for the pipeline, and two for each step: rounds need none of their own.
        steps = 2 if namespace == COORDINATOR else 3
        assert len(pods) == 1 + 2 * steps, [pod["metadata"]["name"] for pod in pods]
        for pod in pods:
            assert pod["metadata"]["namespace"] == namespace
        for pod in (pod for step in kubeflow.STEPS for pod in kubeflow.step_pods(run, step)):
            main = next(each for each in pod["spec"]["containers"] if each["name"] == "main")
            assert _is_confined(pod, main), json.dumps(main.get("securityContext"))


def _is_confined(pod: dict[str, Any], container: dict[str, Any]) -> bool:
    """Whether the container's settings, with those of its pod, are what Pod Security calls `restricted`."""
    both = {**pod["spec"].get("securityContext", {}), **container.get("securityContext", {})}
    return (
        both.get("runAsNonRoot") is True
        and both.get("allowPrivilegeEscalation") is False
        and both.get("capabilities", {}).get("drop") == ["ALL"]
        and both.get("seccompProfile", {}).get("type") == "RuntimeDefault"
    )


def _shape(demo: Demo) -> tuple[int, ...]:
    spec = json.loads((demo.root / "plan" / "plan.json").read_text())
    height, width = spec["recipe"]["task"]["image"]["size"]
    return int(height), int(width), 1


def _predict(model: str, tracking: str, images: NDArray[np.float32]) -> NDArray[np.float32]:
    previous = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(tracking)
    mlflow.set_registry_uri(tracking)
    try:
        return np.asarray(mlflow.pyfunc.load_model(model).predict(images))
    finally:
        mlflow.set_tracking_uri(previous)
        mlflow.set_registry_uri(previous)
