"""Which image each component runs: `images.lock.json`, written when images are published.

The variable WARDROUND_IMAGES_LOCK names another such file: a mirror's, or one of images built here.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "WARDROUND_IMAGES_LOCK"
LOCK = Path(__file__).with_name("images.lock.json")
# Component → image, which is a target of the Dockerfile. Charts know control and mlflow, pipelines the others.
IMAGES = {
    "compile": "compile",
    "preprocess": "preprocess",
    "train": "train",
    "aggregate": "coordinator",
    "evaluate": "coordinator",
    "control": "control",
    "mlflow": "mlflow",
}


def lock_file() -> Path:
    """The lock that counts."""
    return Path(os.environ.get(VARIABLE) or LOCK)


def image(name: str) -> str:
    """The image of a component, by digest."""
    images: dict[str, str] = json.loads(lock_file().read_text(encoding="utf-8"))
    return images[name]


def by_component(references: Mapping[str, str]) -> dict[str, str]:
    """References of images, as a lock has them: by component."""
    return {component: references[name] for component, name in IMAGES.items()}
