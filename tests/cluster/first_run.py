"""The federation's first run, which the demo plays too."""

from dataclasses import dataclass

import pytest
from mlflow import MlflowClient
from tests.cluster import kubeflow, people
from tests.cluster.demo import Demo
from tests.cluster.federation import COORDINATOR, SITES, Cluster
from tests.cluster.kubeflow import Run
from tests.cluster.people import MLFLOW
from tests.cluster.shell import secret

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
    return Finished(digest, runs, kubeflow.wait(cluster.kubeflow, list(runs.values()), 1500))


def seen(cluster: Cluster) -> dict[str, object]:
    """What people see of it: its rounds in the exchange, its models in the registry, by their files."""
    login = secret(COORDINATOR, "wardround-mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_USERNAME", login["username"].decode())
        patch.setenv("MLFLOW_TRACKING_PASSWORD", login["password"].decode())
        registry = MlflowClient(MLFLOW, MLFLOW)
        models = registry.search_model_versions(f"tags.run = '{RUN}'")
        files = {str(each.version): _files(registry, each.source) for each in models}
    return {"rounds": people.status(cluster, RUN)["rounds"], "models": files}


def _files(registry: MlflowClient, source: str) -> list[tuple[str, int]]:
    found = registry.list_logged_model_artifacts(source.removeprefix("models:/"))
    return [(each.path, each.file_size) for each in found]
