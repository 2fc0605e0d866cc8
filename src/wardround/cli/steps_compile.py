"""The compile step of a pipeline. Its image has no TensorFlow but the compiler's own, in another environment."""

import logging
from pathlib import Path

from wardround.cli.executor import Executor
from wardround.compiler_client import compile_recipe
from wardround.errors import ConfigurationError
from wardround.processes import run_until_signal, set_up_logging
from wardround.recipe import parse_recipe

_LOG = logging.getLogger(__name__)


def run_compile(executor_input: str, plan: Path | None) -> None:
    """Inputs: `recipe` (YAML text), `plan` (folder). Outputs: `plan_digest`, `plan_folder`."""
    set_up_logging()
    executor = Executor.parse(executor_input)
    folder, text = plan or executor.inputs.get("plan"), executor.inputs.get("recipe")
    if not folder or not text:
        raise ConfigurationError(
            "inputs recipe and plan are needed; give the recipe's text and a folder for the plan"
        )
    recipe = parse_recipe(text)
    made = run_until_signal(lambda stop: compile_recipe(recipe, Path(folder), progress=_LOG.info))
    _LOG.info("plan %s in %s", made.digest, made.folder)
    executor.write({"plan_digest": made.digest, "plan_folder": str(made.folder)})
