"""Compile a recipe to a plan on the coordinator's volume. Hospitals approve the digest that it shows."""

from components.compile.component import compile_recipe
from kfp import dsl

from pipelines.cluster import step

# One line: Kubeflow's form has one, and kfp writes defaults into a comment of the compiled file as they are.
_EXAMPLE = (
    "{name: chest-opacity, task: {labels: [normal, opacity], image: {modality: [CR, DX], size: [128, 128]}}, "
    "model: {builtin: resnet18-gn}}"
)


@dsl.pipeline(name="wardround-compile", description="Compile a recipe to a plan; its digest is the output.")
def compile_pipeline(
    recipe_yaml: str = _EXAMPLE,
    python_files_by_name: dict = {},  # type: ignore[type-arg]  # noqa: B006 - kfp copies it
    plan_folder: str = "/work/plan",
) -> None:
    """Every parameter has a default: without one, Kubeflow's form keeps Start disabled."""
    step(compile_recipe(recipe=recipe_yaml, files=python_files_by_name, plan=plan_folder))
