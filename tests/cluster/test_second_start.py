"""A hospital starts one run twice at once, as when somebody presses Start beside the schedule."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.cluster import kubeflow, people
from tests.cluster.demo import Demo
from tests.cluster.federation import SITES, Cluster
from tests.cluster.kubeflow import Run
from tests.cluster.shell import kubectl

TWICE = "nih-bethesda-us-1"


@dataclass(frozen=True)
class Twice:
    """A run after its end: how everybody's part ended, and the hospital's two."""

    name: str
    states: dict[str, str]
    starts: list[Run]
    second: str


@pytest.fixture(scope="module")
def twice(cluster: Cluster, demo: Demo) -> Iterator[Twice]:
    name = f"twice-{int(time.time())}"
    file = demo.altered(cluster.work / "twice.yaml", {"count": 2, "quorum": len(SITES)})
    digest, coordinator = people.submit(cluster, file, name)
    for site in SITES:
        cluster.approve(site, digest)
    starts = [people.submit_site(cluster, TWICE, name) for _ in range(2)]
    others = [people.submit_site(cluster, site, name) for site in SITES if site != TWICE]
    states = kubeflow.wait(cluster.kubeflow, [coordinator, starts[0], *others], 900)
    second = kubeflow.wait(cluster.kubeflow, [starts[1]], 300)
    yield Twice(name, states, starts, second[SITES[TWICE]])


def test_both_starts_and_everybody_else_end_well(twice: Twice) -> None:
    assert set(twice.states.values()) == {"SUCCEEDED"}
    assert twice.second == "SUCCEEDED"


def test_every_round_has_one_update_of_each_hospital(twice: Twice, cluster: Cluster) -> None:
    rounds = people.status(cluster, twice.name)["rounds"]
    trained = [each for each in rounds if each["status"] == "completed"]
    assert [sorted(each["accepted"]) for each in trained] == [sorted(SITES)] * 2
    assert not any(each["refused"] for each in rounds)


def test_they_took_turns(twice: Twice) -> None:
    pods = [pod for run in twice.starts for step in kubeflow.STEPS for pod in kubeflow.step_pods(run, step)]
    logs = [kubectl("-n", SITES[TWICE], "logs", pod["metadata"]["name"], "-c", "main") for pod in pods]
    assert any("another process is at" in log for log in logs)
