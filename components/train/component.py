"""Take part in all rounds of a run."""

from kfp import dsl

from components.images import image


@dsl.container_component  # type: ignore[misc]
def train(
    federation: str,
    site: str,
    run: str,
    reason: str,
    exchange: str,
    coordinator_key: str,
    key_file: str,
    approved_digests: list,  # type: ignore[type-arg]
    approvals: str,
    data: str,
    work: str,
    settings: str,
    status: dsl.OutputPath(str),  # type: ignore[valid-type]
    rounds_answered: dsl.OutputPath(int),  # type: ignore[valid-type]
    metrics: dsl.Output[dsl.Metrics],
) -> dsl.ContainerSpec:
    """Inputs are fields of the site's settings; an empty one is taken from the file `settings`."""
    return dsl.ContainerSpec(
        image=image("train"),
        command=["python", "-m", "wardround"],
        args=["site", "train", "--executor-input", "{{$}}"],
    )
