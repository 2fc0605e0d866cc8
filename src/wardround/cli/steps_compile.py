"""The compile step of a pipeline. Its image has no TensorFlow but the compiler's own, in another environment."""

import logging
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from wardround.cli.executor import Executor
from wardround.cli.options import is_given, read_settings
from wardround.compiler_client import compile_recipe
from wardround.coordinator.publish import PREFIX, PublishSettings, publish
from wardround.errors import ConfigurationError
from wardround.log_lines import set_up_logging
from wardround.processes import run_until_signal
from wardround.recipe import parse_recipe

_LOG = logging.getLogger(__name__)
_FILE = re.compile(r"(?:\w[\w.-]{0,99}/)*\w[\w.-]{0,99}", re.ASCII)


def run_compile(executor_input: str, plan: Path | None) -> None:
    """Inputs: `recipe` (YAML text), `files` (name → text), `plan` (folder), and what `PublishSettings` needs to publish
    the plan, if anything of it is given. Outputs: `plan_digest`, `plan_folder`.
    """
    set_up_logging()
    executor = Executor.parse(executor_input)
    folder, text = plan or executor.inputs.get("plan"), executor.inputs.get("recipe")
    if not folder or not text:
        raise ConfigurationError(
            "inputs recipe and plan are needed; give the recipe's text and a folder for the plan"
        )
    recipe = parse_recipe(text)
    with TemporaryDirectory(prefix="wardround-recipe-") as beside:
        write_files(executor.inputs.get("files") or {}, Path(beside))
        made = run_until_signal(
            lambda stop: compile_recipe(recipe, Path(folder), folder=Path(beside), progress=_LOG.info)
        )
    _LOG.info("plan %s in %s", made.digest, made.folder)
    if any(is_given(executor.inputs.get(name)) for name in ("exchange", "settings")):
        settings = read_settings(PublishSettings, PREFIX, None, {}, executor.inputs, {})
        run_until_signal(partial(publish, settings, made))
    executor.write({"plan_digest": made.digest, "plan_folder": str(made.folder)})


def write_files(files: Mapping[str, str], folder: Path) -> None:
    """Writes the Python files that a recipe names into a folder. Raises ConfigurationError for other names."""
    for name, text in files.items():
        if not _FILE.fullmatch(name) or not isinstance(text, str):
            raise ConfigurationError(
                f"input files: {name[:80]!r} is not the name of a text file below the recipe; give a mapping of "
                'names, as the recipe has them, to texts: {"model.py": "def build(…): …"}'
            )
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
