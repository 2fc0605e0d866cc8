"""Parameters of a run from a file."""

from pathlib import Path
from typing import Any

from wardround.errors import ConfigurationError
from wardround.limited import read_text_limited
from wardround.yaml_text import LIMIT, YamlError, parse_yaml


def read_parameters(path: Path) -> dict[str, Any]:
    """The parameters in a YAML or JSON file, by name. Raises ConfigurationError."""
    try:
        content = parse_yaml(read_text_limited(path, LIMIT, "parameters file"))
    except YamlError as error:
        raise ConfigurationError(f"parameters {str(path)!r} are not legal: {error}; correct them") from None
    if not isinstance(content or {}, dict):
        raise ConfigurationError(f"parameters {str(path)!r} are no mapping; write `name: value` lines")
    return content or {}
