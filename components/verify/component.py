"""Verify a run's plan: compile its recipe again, and compare digests. Nothing of the plan is executed."""

from kfp import dsl

from components.images import image


@dsl.container_component  # type: ignore[misc]
def verify(
    federation: str,
    site: str,
    run: str,
    run_id: str,
    start_wait_s: float,
    exchange: str,
    coordinator_key: str,
    key_file: str,
    approved_digests: list,  # type: ignore[type-arg]
    approvals: str,
    work: str,
    settings: str,
    run_name: dsl.OutputPath(str),  # type: ignore[valid-type]
    reason: dsl.OutputPath(str),  # type: ignore[valid-type]
    verdict: dsl.OutputPath(str),  # type: ignore[valid-type]
) -> dsl.ContainerSpec:
    """Inputs are fields of the site's settings; one that is empty or 0 is taken from the file `settings`."""
    return dsl.ContainerSpec(
        image=image("compile"),
        command=["python", "-m", "wardround"],
        args=["site", "verify", "--executor-input", "{{$}}"],
    )
