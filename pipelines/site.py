"""A hospital's part in a run: verify → preprocess → train → evaluate. Images and shards stay on its volumes."""

from components.evaluate.component import evaluate_site
from components.preprocess.component import preprocess
from components.train.component import train
from components.verify.component import verify
from kfp import dsl
from kfp.dsl.base_component import BaseComponent

from pipelines.cluster import SETTINGS, approves, reads_images, signs, step
from wardround.kubeflow.profile import Profile


def make(profile: Profile) -> BaseComponent:
    """The pipeline for one hospital's namespace."""

    @dsl.pipeline(
        name="wardround-site",
        description=(
            "Take part in a federated training: in the run that is named, or in the newest open one. Parameters that "
            "are empty or 0 are taken from the settings file."
        ),
    )
    def site_pipeline(
        run: str = "",
        wait_for_run_seconds: float = 0.0,
        federation: str = "",
        site: str = "",
        exchange_address: str = "",
        coordinator_public_key: str = "",
        signing_key_file: str = "",
        approved_plan_digests: list = [],  # type: ignore[type-arg]  # noqa: B006 - kfp copies it
        approvals_folder: str = "",
        dicom_folder_or_archive_url: str = "",
        studies_to_select: dict = {},  # type: ignore[type-arg]  # noqa: B006 - kfp copies it
        labels_csv_file: str = "",
        split_key_file: str = "",
        work_folder: str = "/work",
        show_local_figures_in_kubeflow: bool = False,
        settings_file: str = f"{SETTINGS}/site.yaml",
    ) -> None:
        """Every parameter has a default: without one, Kubeflow's form keeps Start disabled."""
        who = {
            "federation": federation,
            "site": site,
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
        which = {
            "run": run,
            "run_id": dsl.PIPELINE_JOB_ID_PLACEHOLDER,
            "start_wait_s": wait_for_run_seconds,
        }
        if profile.verifies:
            verified = _step(verify(**who, **which), profile, "compile")
            which |= {"run": verified.outputs["run_name"]}
        before = verified.outputs["reason"] if profile.verifies else ""
        prepared = _step(preprocess(**who, **images, **which, reason_before=before), profile, "preprocess")
        reads_images(prepared, profile)
        # The run that preprocess found, or none and why: the later steps never look for one by themselves.
        found = {
            "run": prepared.outputs["run_name"],
            "reason": prepared.outputs["reason"],
            "data": prepared.outputs["dataset"],
        }
        trained = _step(train(**who, **found), profile, "train")
        reported = evaluate_site(**who, **found, show_local_figures=show_local_figures_in_kubeflow)
        _step(reported, profile, "evaluate").after(trained)

    return site_pipeline


def _step(task: dsl.PipelineTask, profile: Profile, component: str) -> dsl.PipelineTask:
    return approves(signs(step(task, profile, component), profile), profile)
