"""A hospital's part in a run: preprocess → train → evaluate. Images and shards stay on its volumes."""

from components.evaluate.component import evaluate_site
from components.preprocess.component import preprocess
from components.train.component import train
from kfp import dsl

from pipelines.cluster import reads_images, step


@dsl.pipeline(
    name="wardround-site",
    description="Take part in a federated training. Empty parameters are taken from the settings file.",
)
def site_pipeline(
    run: str = "",
    federation: str = "",
    site: str = "",
    exchange_address: str = "",
    coordinator_public_key: str = "",
    signing_key_file: str = "",
    approved_plan_digests: list = [],  # type: ignore[type-arg]  # noqa: B006 - kfp copies it
    approvals_folder: str = "",
    dicom_folder_or_archive_url: str = "/images",
    studies_to_select: dict = {},  # type: ignore[type-arg]  # noqa: B006 - kfp copies it
    labels_csv_file: str = "/images/labels.csv",
    split_key_file: str = "",
    work_folder: str = "/work",
    show_local_figures_in_kubeflow: bool = False,
    settings_file: str = "/etc/wardround/site.yaml",
) -> None:
    """Every parameter has a default: without one, Kubeflow's form keeps Start disabled."""
    who = {
        "federation": federation,
        "site": site,
        "run": run,
        "exchange": exchange_address,
        "coordinator_key": coordinator_public_key,
        "key_file": signing_key_file,
        "approved_digests": approved_plan_digests,
        "approvals": approvals_folder,
        "work": work_folder,
        "settings": settings_file,
    }
    images = {
        "dicom": dicom_folder_or_archive_url,
        "select": studies_to_select,
        "labels": labels_csv_file,
        "split_key": split_key_file,
    }
    prepared = reads_images(step(preprocess(**who, **images)))
    dataset = prepared.outputs["dataset"]
    trained = step(train(**who, data=dataset))
    step(evaluate_site(**who, data=dataset, show_local_figures=show_local_figures_in_kubeflow)).after(trained)
