"""Make the dataset that a run's plan takes. Images and shards stay on the hospital's volume."""

from kfp import dsl

from components.images import image


@dsl.container_component  # type: ignore[misc]
def preprocess(
    federation: str,
    site: str,
    run: str,
    run_id: str,
    start_wait_s: float,
    reason_before: str,
    exchange: str,
    coordinator_key: str,
    key_file: str,
    approved_digests: list,  # type: ignore[type-arg]
    approvals: str,
    dicom: str,
    select: dict,  # type: ignore[type-arg]
    labels: str,
    split_key: str,
    work: str,
    settings: str,
    run_name: dsl.OutputPath(str),  # type: ignore[valid-type]
    status: dsl.OutputPath(str),  # type: ignore[valid-type]
    reason: dsl.OutputPath(str),  # type: ignore[valid-type]
    dataset: dsl.OutputPath(str),  # type: ignore[valid-type]
    dataset_digest: dsl.OutputPath(str),  # type: ignore[valid-type]
    plan_digest: dsl.OutputPath(str),  # type: ignore[valid-type]
) -> dsl.ContainerSpec:
    """Inputs are fields of the site's settings; one that is empty or 0 is taken from the file `settings`."""
    return dsl.ContainerSpec(
        image=image("preprocess"),
        command=["python", "-m", "wardround"],
        args=["site", "preprocess", "--executor-input", "{{$}}"],
    )
