"""Compile a recipe to a plan."""

from kfp import dsl

from components.images import image


@dsl.container_component  # type: ignore[misc]
def compile_recipe(
    recipe: str,
    files: dict,  # type: ignore[type-arg]
    plan: str,
    federation: str,
    exchange: str,
    settings: str,
    plan_digest: dsl.OutputPath(str),  # type: ignore[valid-type]
    plan_folder: dsl.OutputPath(str),  # type: ignore[valid-type]
) -> dsl.ContainerSpec:
    """`recipe`: YAML text; `files`: its Python files by name; `plan`: a folder on the coordinator's volume.

    The others are fields of the coordinator's settings, and their file; without an exchange nothing is published.
    """
    return dsl.ContainerSpec(
        image=image("compile"),
        command=["python", "-m", "wardround"],
        args=["coordinator", "compile", "--executor-input", "{{$}}"],
    )
