"""Report a finished run: the coordinator's view of all, and a site's of its own."""

from kfp import dsl

from components.images import image


@dsl.container_component  # type: ignore[misc]
def evaluate_run(
    federation: str,
    run: str,
    exchange: str,
    key_file: str,
    members: dict,  # type: ignore[type-arg]
    plan: str,
    plan_digest: str,
    work: str,
    settings: str,
    metrics: dsl.Output[dsl.Metrics],
    curves: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.HTML],
) -> dsl.ContainerSpec:
    """Inputs are fields of the coordinator's settings; an empty one is taken from the file `settings`."""
    return dsl.ContainerSpec(
        image=image("evaluate"),
        command=["python", "-m", "wardround"],
        args=["coordinator", "evaluate", "--executor-input", "{{$}}"],
    )


@dsl.container_component  # type: ignore[misc]
def evaluate_site(
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
    show_local_figures: bool,
    settings: str,
    metrics: dsl.Output[dsl.Metrics],
    curves: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.HTML],
) -> dsl.ContainerSpec:
    """Artifacts hold what has left the hospital before, unless `show_local_figures`."""
    return dsl.ContainerSpec(
        image=image("evaluate"),
        command=["python", "-m", "wardround"],
        args=["site", "evaluate", "--executor-input", "{{$}}"],
    )
