"""A run whose coordinator was terminated for good is given up; its hospitals are free again."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tests.cluster import kubeflow, people
from tests.cluster.demo import Demo
from tests.cluster.federation import COORDINATOR, SITES, Cluster
from tests.cluster.shell import eventually

# More than anybody plays: the run is given up long before.
ROUNDS = 500


@dataclass(frozen=True)
class GivenUp:
    """A run that was given up in the middle, after the end of everybody's part."""

    name: str
    recipe: Path
    said: str
    states: dict[str, str]


@pytest.fixture(scope="module")
def given_up(cluster: Cluster, demo: Demo) -> Iterator[GivenUp]:
    name = f"given-up-{int(time.time())}"
    file = demo.altered(cluster.work / "given-up.yaml", {"count": ROUNDS, "deadline": "1h"})
    digest, coordinator = people.submit(cluster, file, name)
    for site in SITES:
        cluster.approve(site, digest)
    sites = [people.submit_site(cluster, site, name) for site in SITES]
    eventually(lambda: len(people.status(cluster, name)["rounds"]) >= 2, f"round 2 of {name}", 900, every=2)
    cluster.kubeflow(COORDINATOR).terminate_run(coordinator.run_id)
    kubeflow.wait(cluster.kubeflow, [coordinator], 180)
    said = people.abandon(cluster, name)
    yield GivenUp(name, file, said, kubeflow.wait(cluster.kubeflow, sites, 900))


def test_the_coordinator_s_people_hear_what_became_of_it(given_up: GivenUp, cluster: Cluster) -> None:
    found = people.status(cluster, given_up.name)
    assert found["state"] == "abandoned"
    assert f"abandoned after {len(found['rounds'])} rounds" in given_up.said


def test_no_hospital_waits_for_it_any_longer(given_up: GivenUp) -> None:
    assert given_up.states == dict.fromkeys(SITES.values(), "FAILED")


def test_the_registry_hears_of_it_when_the_run_is_started_once_more(
    given_up: GivenUp, cluster: Cluster, registry: MlflowClient, demo: Demo
) -> None:
    _, again = people.submit(cluster, given_up.recipe, given_up.name)
    assert kubeflow.wait(cluster.kubeflow, [again], 300) == {COORDINATOR: "FAILED"}
    experiments = [each.experiment_id for each in registry.search_experiments()]
    wanted = f"tags.run = '{given_up.name}'"

    (entry,) = registry.search_runs(experiments, filter_string=wanted)
    assert entry.info.status == "FAILED"
    rounds = len(people.status(cluster, given_up.name)["rounds"])
    kept = registry.search_model_versions(f"name = '{demo.model_name}' AND {wanted}")
    assert sorted(int(version.tags["round"]) for version in kept) == list(range(1, rounds + 1))
