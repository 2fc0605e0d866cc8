"""The coordinator's part in a run: aggregate → evaluate."""

from components.aggregate.component import aggregate
from components.evaluate.component import evaluate_run
from kfp import dsl
from kfp.dsl.base_component import BaseComponent

from pipelines.cluster import SETTINGS, registers, signs, step
from wardround.kubeflow.profile import Profile


def make(profile: Profile) -> BaseComponent:
    """The pipeline for the coordinator's namespace."""

    @dsl.pipeline(
        name="wardround-coordinator",
        description=(
            "Coordinate a federated training of a plan, by its digest. Without a name, the run gets one. Parameters "
            "that are empty or 0 are taken from the settings file, and rules of rounds then from the recipe."
        ),
    )
    def coordinator_pipeline(
        plan_digest: str = "",
        run: str = "",
        federation: str = "",
        rounds: int = 0,
        quorum: int = 0,
        round_deadline_seconds: float = 0.0,
        join_deadline_seconds: float = 0.0,
        exchange_address: str = "",
        signing_key_file: str = "",
        member_public_keys: dict = {},  # type: ignore[type-arg]  # noqa: B006 - kfp copies it
        plan_folder: str = "",
        work_folder: str = "/work",
        mlflow_address: str = "",
        mlflow_experiment: str = "",
        mlflow_model_name: str = "",
        settings_file: str = f"{SETTINGS}/coordinator.yaml",
    ) -> None:
        """Every parameter has a default: without one, Kubeflow's form keeps Start disabled."""
        who = {
            "federation": federation,
            "exchange": exchange_address,
            "key_file": signing_key_file,
            "members": member_public_keys,
            "plan": plan_folder,
            "work": work_folder,
            "settings": settings_file,
        }
        rules = {
            "rounds": rounds,
            "quorum": quorum,
            "deadline_s": round_deadline_seconds,
            "join_deadline_s": join_deadline_seconds,
        }
        registry = {
            "tracking_uri": mlflow_address,
            "experiment": mlflow_experiment,
            "model_name": mlflow_model_name,
        }
        # Kubeflow's id of this run stays the same however often a pod is started again: so does the run's name.
        which = {"run": run, "run_id": dsl.PIPELINE_JOB_ID_PLACEHOLDER, "plan_digest": plan_digest}
        aggregated = aggregate(**who, **which, **rules, **registry)
        registers(signs(step(aggregated, profile, "aggregate"), profile), profile)
        settled = {"run": aggregated.outputs["run_name"], "plan_digest": aggregated.outputs["digest"]}
        signs(step(evaluate_run(**who, **settled), profile, "evaluate"), profile)

    return coordinator_pipeline
