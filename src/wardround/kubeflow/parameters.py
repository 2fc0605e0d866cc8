"""Parameters of a run from a file."""

from pathlib import Path
from typing import Any

import yaml

from wardround.errors import ConfigurationError


def read_parameters(path: Path) -> dict[str, Any]:
    """The parameters in a YAML or JSON file, by name. Raises ConfigurationError."""
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"parameters {str(path)!r} cannot be read ({type(error).__name__}); give a YAML or JSON file"
        ) from error
    if not isinstance(content or {}, dict):
        raise ConfigurationError(f"parameters {str(path)!r} are no mapping; write `name: value` lines")
    return content or {}
