"""Hospitals on a schedule take part in what is published, if they approve it; one that does not says so."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.cluster import kubeflow, people
from tests.cluster.demo import Demo
from tests.cluster.federation import COORDINATOR, SITES, Cluster, public_key

DECLINES = "nih-bethesda-us-1"


@dataclass(frozen=True)
class Published:
    """A run that was opened, and then left to the schedules."""

    name: str
    state: str


@pytest.fixture(scope="module")
def published(cluster: Cluster, demo: Demo) -> Iterator[Published]:
    key = public_key(COORDINATOR, "job/wardround-setup", "-c", "key")
    waiting = {"run": 60, "round": 3600, "outage": 600}
    for site in SITES:
        cluster.install_site(site, key, waiting=waiting, pipeline={"start": "schedule", "seconds": 30})
    name = f"schedule-{int(time.time())}"
    rounds = {"count": 2, "quorum": 2, "join_deadline": "10m"}
    # Another seed is another plan, which nobody has approved yet.
    file = demo.altered(cluster.work / "schedule.yaml", rounds, seed=7)
    digest, run = people.submit(cluster, file, name)
    for site in SITES:
        if site != DECLINES:
            cluster.approve(site, digest)
    try:
        yield Published(name, kubeflow.wait(cluster.kubeflow, [run], 900)[COORDINATOR])
    finally:
        for site in SITES:
            cluster.install_site(site, key, pipeline={"start": "nothing"})
            _end_runs(cluster, SITES[site])


def test_those_who_approve_take_part_by_themselves(published: Published, cluster: Cluster) -> None:
    assert published.state == "SUCCEEDED"
    found = people.status(cluster, published.name)
    willing = sorted(site for site in SITES if site != DECLINES)
    trained = [each for each in found["rounds"] if each["status"] == "completed"]
    assert [sorted(each["accepted"]) for each in trained] == [willing] * 2


def test_the_one_that_does_not_approve_says_so_in_the_outcome(published: Published, cluster: Cluster) -> None:
    last = people.status(cluster, published.name)["rounds"][-1]
    assert last["declined"] == {DECLINES: "not-approved"}


def test_a_schedule_ends_with_the_setting(published: Published, cluster: Cluster) -> None:
    assert "ENABLED" in _schedules(cluster)
    coordinator = public_key(COORDINATOR, "job/wardround-setup", "-c", "key")
    cluster.install_site(DECLINES, coordinator, pipeline={"start": "nothing"})
    assert _schedules(cluster) == {"DISABLED"}


def _schedules(cluster: Cluster) -> set[str]:
    """What became of the recurring runs of the hospital that declines."""
    namespace = SITES[DECLINES]
    client = cluster.kubeflow(namespace)
    jobs = client.list_recurring_runs(namespace=namespace, page_size=50).recurring_runs or []
    return {job.status for job in jobs}


def _end_runs(cluster: Cluster, namespace: str) -> None:
    """Ends what the schedule has started last: it would wait for the next test's run, and take part in it."""
    client = cluster.kubeflow(namespace)
    for run in client.list_runs(namespace=namespace, page_size=100).runs or []:
        if run.state not in kubeflow.ENDED:
            client.terminate_run(run.run_id)
