"""Compile a recipe to a plan."""

from kfp import dsl

from components.images import image


@dsl.container_component  # type: ignore[misc]
def compile_recipe(
    recipe: str,
    files: dict,  # type: ignore[type-arg]
    plan: str,
    plan_digest: dsl.OutputPath(str),  # type: ignore[valid-type]
    plan_folder: dsl.OutputPath(str),  # type: ignore[valid-type]
) -> dsl.ContainerSpec:
    """`recipe`: YAML text; `files`: its Python files by name; `plan`: a folder on the coordinator's volume."""
    return dsl.ContainerSpec(
        image=image("compile"),
        command=["python", "-m", "wardround"],
        args=["coordinator", "compile", "--executor-input", "{{$}}"],
    )
