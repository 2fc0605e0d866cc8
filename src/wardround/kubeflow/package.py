"""Compiling a pipeline for a profile.

The pipelines' sources lie beside the package, in a checkout and in the image `control`, because no image of a step has
kfp; so they are looked for when somebody compiles.
"""

import hashlib
import importlib
import sys
import warnings
from pathlib import Path
from types import ModuleType

import yaml

from wardround.errors import ConfigurationError
from wardround.kubeflow.profile import Profile

NAMES = ("site", "coordinator", "compile")
_CHECKOUT = Path(__file__).parents[3]


def compile_package(name: str, profile: Profile, out: Path) -> Path:
    """Writes the pipeline `site`, `coordinator` or `compile` as YAML to `out`; the same profile gives the same bytes.

    Raises ConfigurationError for another name, for a profile of the other party, and where there are no sources.
    """
    build = _sources()
    if name not in build.PIPELINES:
        raise ConfigurationError(f"there is no pipeline {name!r}; legal: {', '.join(NAMES)}")
    if (party := build.PARTIES[name]) != profile.party:
        raise ConfigurationError(
            f"pipeline {name!r} runs in the namespace of a {party}; the profile is of a {profile.party}"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # kfp's, about itself
        build.compile_to(name, profile, out)
    return out


def version_name(title: str, package: Path) -> str:
    """A name for a version of a pipeline: the pipeline's own, and 12 digits of the SHA-256 of its content.

    Kubeflow's form makes a run's name of the version's, so it says which pipeline that is.
    """
    return f"{title} {hashlib.sha256(package.read_bytes()).hexdigest()[:12]}"


def description(package: Path) -> str:
    """What a compiled pipeline says of itself; Kubeflow's list of pipelines shows it."""
    specification = next(yaml.safe_load_all(package.read_text("utf-8")))
    return str(specification["pipelineInfo"].get("description", ""))


def _sources() -> ModuleType:
    try:
        return importlib.import_module("pipelines.build")
    except ModuleNotFoundError as error:
        if error.name not in ("pipelines", "pipelines.build") or not (_CHECKOUT / "pipelines").is_dir():
            raise ConfigurationError(
                f"pipelines cannot be compiled here: {error.name} is not installed; use the image `control`, or a "
                "checkout of the repository"
            ) from error
    sys.path.append(str(_CHECKOUT))
    importlib.invalidate_caches()
    return importlib.import_module("pipelines.build")
