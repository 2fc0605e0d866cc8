"""Play all rounds of a run."""

from kfp import dsl

from components.images import image


@dsl.container_component  # type: ignore[misc]
def aggregate(
    federation: str,
    run: str,
    run_id: str,
    exchange: str,
    key_file: str,
    members: dict,  # type: ignore[type-arg]
    plan: str,
    plan_digest: str,
    work: str,
    rounds: int,
    quorum: int,
    deadline_s: float,
    join_deadline_s: float,
    tracking_uri: str,
    experiment: str,
    model_name: str,
    settings: str,
    run_name: dsl.OutputPath(str),  # type: ignore[valid-type]
    digest: dsl.OutputPath(str),  # type: ignore[valid-type]
    status: dsl.OutputPath(str),  # type: ignore[valid-type]
    champion: dsl.OutputPath(int),  # type: ignore[valid-type]
    metrics: dsl.Output[dsl.Metrics],
) -> dsl.ContainerSpec:
    """Inputs are fields of the coordinator's settings; one that is empty or 0 is taken from the file `settings`."""
    return dsl.ContainerSpec(
        image=image("aggregate"),
        command=["python", "-m", "wardround"],
        args=["coordinator", "aggregate", "--executor-input", "{{$}}"],
    )
