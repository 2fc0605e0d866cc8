"""Compile a recipe to a plan, and publish it. Hospitals approve the digest that it shows; a run is started by it."""

from components.compile.component import compile_recipe
from kfp import dsl
from kfp.dsl.base_component import BaseComponent

from pipelines.cluster import SETTINGS, step
from wardround.kubeflow.profile import Profile

# One line: Kubeflow's form has one, and kfp writes defaults into a comment of the compiled file as they are.
_EXAMPLE = (
    "{name: chest-opacity, task: {labels: [normal, opacity], image: {modality: [CR, DX], size: [128, 128]}}, "
    "model: {builtin: resnet18-gn}}"
)


def make(profile: Profile) -> BaseComponent:
    """The pipeline for the coordinator's namespace."""

    @dsl.pipeline(
        name="wardround-compile",
        description="Compile a recipe to a plan, and publish it in the federation's bucket; its digest is the output.",
    )
    def compile_pipeline(
        recipe_yaml: str = _EXAMPLE,
        python_files_by_name: dict = {},  # type: ignore[type-arg]  # noqa: B006 - kfp copies it
        federation: str = "",
        exchange_address: str = "",
        plan_folder: str = "/work/plan",
        settings_file: str = f"{SETTINGS}/coordinator.yaml",
    ) -> None:
        """Every parameter has a default: without one, Kubeflow's form keeps Start disabled."""
        compiled = compile_recipe(
            recipe=recipe_yaml,
            files=python_files_by_name,
            plan=plan_folder,
            federation=federation,
            exchange=exchange_address,
            settings=settings_file,
        )
        step(compiled, profile, "compile")

    return compile_pipeline
