"""A script as a step of a hospital's run: what it finds there."""

import json
from typing import Any

import yaml
from kfp import compiler, dsl
from pipelines.cluster import step
from tests.cluster import kubeflow, tenants
from tests.cluster.federation import FEDERATION, SITES, Cluster
from tests.cluster.kubeflow import Run, script_step
from tests.cluster.shell import get

from wardround.kubeflow.profile import Profile


def probe(
    cluster: Cluster, site: str, script: str, wishes: dict[str, Any], *, again: bool = False
) -> dict[str, str]:
    """Runs it in the image of `preprocess`, with all that this step has, and returns what it found.

    `again`: it is started again when it fails, as often as the hospital's profile says.
    """
    namespace = SITES[site]
    profile = Profile.model_validate(get_profile(namespace))

    @dsl.pipeline(name="probe")
    def pipeline(script: str, wishes: str) -> None:
        task = step(script_step(script=script, wishes=wishes), profile, "preprocess")
        if not again:
            task.set_retry(num_retries=0)

    file = cluster.work / "probe.yaml"
    compiler.Compiler().compile(pipeline, str(file))
    started = cluster.kubeflow(namespace).create_run_from_pipeline_package(
        str(file),
        {"script": script, "wishes": json.dumps(wishes)},
        namespace=namespace,
        experiment_name=FEDERATION,
        enable_caching=False,
    )
    run = Run(namespace, started.run_id)
    assert kubeflow.wait(cluster.kubeflow, [run], 300) == {namespace: "SUCCEEDED"}
    store = tenants.store(cluster.bed, namespace)
    names = [str(o.object_name) for o in store.list_objects(bucket_name=namespace, recursive=True)]
    name = next(each for each in names if run.run_id in each and each.endswith("/findings"))
    found: dict[str, str] = json.loads(store.get_object(bucket_name=namespace, object_name=name).read())
    return found


def get_profile(namespace: str) -> Any:
    """The profile that the chart has made."""
    return yaml.safe_load(get(namespace, "configmap", "wardround-site")["data"]["profile.yaml"])
