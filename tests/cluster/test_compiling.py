"""A recipe is compiled on the cluster: the same plan as in a shell, published for hospitals to look at."""

import time
from pathlib import Path

import pytest
from tests.cluster import kubeflow, people
from tests.cluster.demo import Demo
from tests.cluster.federation import COORDINATOR, EXCHANGE, FEDERATION, Cluster
from tests.cluster.kubeflow import Run

from wardround.exchange.connect import open_exchange
from wardround.exchange.layout import Layout
from wardround.plan_store import fetch_plan

PIPELINE = "wardround-compile"


def test_the_plan_of_the_compile_pipeline_is_that_of_the_command_and_is_published(
    cluster: Cluster, demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The seed makes it a plan that nobody has published.
    file, plan = demo.altered(tmp_path / "recipe.yaml", {}, seed=int(time.time())), tmp_path / "plan"
    run = start(cluster, file.read_text())
    said = people.wardround("compile", str(file), "--out", str(plan))
    digest = said.split()[1]
    assert kubeflow.wait(cluster.kubeflow, [run], 600) == {COORDINATOR: "SUCCEEDED"}
    for name, value in people.exchange_login(cluster, COORDINATOR).items():
        monkeypatch.setenv(name, value)
    store = open_exchange(EXCHANGE).store(Layout(FEDERATION).federation)
    assert fetch_plan(store, digest, tmp_path / "published").digest == digest


def start(cluster: Cluster, recipe: str) -> Run:
    """Starts the newest version of the pipeline that the chart has registered, as the form does."""
    client = cluster.kubeflow(COORDINATOR)
    pipelines = client.list_pipelines(namespace=COORDINATOR, page_size=100).pipelines
    (pipeline,) = [each.pipeline_id for each in pipelines if each.display_name == PIPELINE]
    versions = client.list_pipeline_versions(pipeline, sort_by="created_at desc").pipeline_versions
    experiment = client.create_experiment(FEDERATION, namespace=COORDINATOR)
    started = client.run_pipeline(
        experiment.experiment_id,
        f"compile {int(time.time())}",
        params={"recipe_yaml": recipe},
        pipeline_id=pipeline,
        version_id=versions[0].pipeline_version_id,
        enable_caching=False,
    )
    return Run(COORDINATOR, started.run_id)
