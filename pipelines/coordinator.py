"""The coordinator's part in a run: aggregate → evaluate."""

from components.aggregate.component import aggregate
from components.evaluate.component import evaluate_run
from kfp import dsl

from pipelines.cluster import step


@dsl.pipeline(
    name="wardround-coordinator",
    description="Coordinate a federated training. Parameters that are empty or 0 are taken from the settings file.",
)
def coordinator_pipeline(
    run: str = "",
    federation: str = "",
    exchange_address: str = "",
    signing_key_file: str = "",
    member_public_keys: dict = {},  # type: ignore[type-arg]  # noqa: B006 - kfp copies it
    plan_folder: str = "/work/plan",
    work_folder: str = "/work",
    rounds: int = 0,
    quorum: int = 0,
    round_deadline_seconds: float = 0.0,
    join_deadline_seconds: float = 0.0,
    mlflow_address: str = "",
    mlflow_experiment: str = "",
    mlflow_model_name: str = "",
    settings_file: str = "/etc/wardround/coordinator.yaml",
) -> None:
    """Every parameter has a default: without one, Kubeflow's form keeps Start disabled."""
    who = {
        "federation": federation,
        "run": run,
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
    aggregated = step(aggregate(**who, **rules, **registry))
    step(evaluate_run(**who)).after(aggregated)
