"""The federation's first run, which the demo plays too."""

from dataclasses import dataclass

from tests.cluster import kubeflow, people
from tests.cluster.demo import Demo
from tests.cluster.federation import COORDINATOR, SITES, Cluster
from tests.cluster.kubeflow import Run

RUN = "demo-1"  # as the demo calls it: seeds follow from names


@dataclass(frozen=True)
class Finished:
    """The federation's first run, after its end."""

    digest: str
    runs: dict[str, Run]
    states: dict[str, str]


def play(cluster: Cluster, demo: Demo) -> Finished:
    """Starts everybody's run, and waits for their ends; one that has ended before ends at once."""
    digest, coordinator = people.submit(cluster, demo.recipe, RUN)
    for site in SITES:
        cluster.approve(site, digest)
    runs = {COORDINATOR: coordinator}
    runs |= {SITES[site]: people.submit_site(cluster, site, RUN) for site in SITES}
    clients = {name: kubeflow.client(cluster.bed.kfp, name, cluster.token(name)) for name in runs}
    return Finished(digest, runs, kubeflow.wait(clients, list(runs.values()), 1500))
