"""Which image each component runs: `images.lock.json`, written when images are published."""

import json
from pathlib import Path

LOCK = Path(__file__).with_name("images.lock.json")


def image(name: str) -> str:
    """The image of a component, by digest."""
    images: dict[str, str] = json.loads(LOCK.read_text(encoding="utf-8"))
    return images[name]
