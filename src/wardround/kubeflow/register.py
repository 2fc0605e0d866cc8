"""Pipelines in Kubeflow: one for each kind in a namespace, and a version for each content."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wardround.kubeflow.client import Kubeflow, named
from wardround.kubeflow.errors import KubeflowMissingError
from wardround.kubeflow.package import description, version_name


@dataclass(frozen=True)
class Version:
    """A version of a registered pipeline; `is_new`: whether this call uploaded it."""

    pipeline: str
    pipeline_id: str
    version: str
    version_id: str
    is_new: bool = False

    def reference(self) -> dict[str, str]:
        """As runs name it."""
        return {"pipeline_id": self.pipeline_id, "pipeline_version_id": self.version_id}


def pipeline_name(name: str) -> str:
    """What the pipeline `site`, `coordinator` or `compile` is called in Kubeflow."""
    return f"wardround-{name}"


def register(kubeflow: Kubeflow, name: str, package: Path) -> Version:
    """Uploads a compiled pipeline, unless the namespace has one with this content. Raises KubeflowError."""
    title = pipeline_name(name)
    wanted = version_name(title, package)
    pipeline = _find_pipeline(kubeflow, title) or _make_pipeline(kubeflow, title, package)
    found = _find_version(kubeflow, pipeline.pipeline_id, wanted)
    made = found or kubeflow.call(
        f"upload a version of {title}",
        kubeflow.uploads.upload_pipeline_version,
        str(package),
        name=wanted,
        pipelineid=pipeline.pipeline_id,
    )
    return Version(title, pipeline.pipeline_id, wanted, made.pipeline_version_id, is_new=found is None)


def newest_version(kubeflow: Kubeflow, name: str) -> Version:
    """The version of a registered pipeline that was uploaded last. Raises KubeflowMissingError."""
    title = pipeline_name(name)
    pipeline = _find_pipeline(kubeflow, title)
    versions = [] if pipeline is None else [*_versions(kubeflow, pipeline.pipeline_id)]
    if not versions:
        raise KubeflowMissingError(
            f"namespace {kubeflow.namespace!r} has no pipeline {title}; register it: wardround pipeline register {name}"
        )
    last = max(versions, key=lambda version: version.created_at)
    return Version(title, last.pipeline_id, last.display_name, last.pipeline_version_id)


def experiment(kubeflow: Kubeflow, name: str) -> str:
    """The id of the experiment of this name, which is made if there is none: no run is without one."""
    api, what = kubeflow.experiments, f"find experiment {name}"
    found = kubeflow.pages(
        what,
        api.experiment_service_list_experiments,
        "experiments",
        namespace=kubeflow.namespace,
        filter=named(name),
    )
    for each in found:
        return str(each.experiment_id)
    body = {"display_name": name, "namespace": kubeflow.namespace}
    made = kubeflow.call(f"make experiment {name}", api.experiment_service_create_experiment, body)
    return str(made.experiment_id)


def count_runs(kubeflow: Kubeflow) -> int:
    """How many runs the namespace has, which only somebody with rights there is told. Raises KubeflowError."""
    api = kubeflow.runs.run_service_list_runs
    found = kubeflow.call("list runs", api, namespace=kubeflow.namespace, page_size=1)
    return int(found.total_size or 0)


def _find_pipeline(kubeflow: Kubeflow, title: str) -> Any:
    found = kubeflow.pages(
        f"find pipeline {title}",
        kubeflow.pipelines.pipeline_service_list_pipelines,
        "pipelines",
        namespace=kubeflow.namespace,
        filter=named(title),
    )
    # A namespace's list may show what is shared by all as well; only its own is ours to change.
    return next((each for each in found if (each.namespace or "") == kubeflow.namespace), None)


def _make_pipeline(kubeflow: Kubeflow, title: str, package: Path) -> Any:
    # Without a version: the first one is named by its content, as all later ones are.
    body = {"display_name": title, "namespace": kubeflow.namespace, "description": description(package)}
    create = kubeflow.pipelines.pipeline_service_create_pipeline
    return kubeflow.call(f"make pipeline {title}", create, body)


def _versions(kubeflow: Kubeflow, pipeline_id: str, **more: str) -> Any:
    api = kubeflow.pipelines.pipeline_service_list_pipeline_versions
    return kubeflow.pages(
        "list versions of a pipeline", api, "pipeline_versions", pipeline_id=pipeline_id, **more
    )


def _find_version(kubeflow: Kubeflow, pipeline_id: str, wanted: str) -> Any:
    found = _versions(kubeflow, pipeline_id, filter=named(wanted))
    return next((each for each in found if each.display_name == wanted), None)
