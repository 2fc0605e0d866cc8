"""The demo's split keys, which say who is trained on and who is held out.

A hospital's key is random. The demo's follows from the seed, so that a seed gives the same patients in the same
split, and with them the same figures.
"""

import hashlib
import os
from pathlib import Path


def keep_split_key(path: Path, seed: str) -> None:
    """Writes the key (32 bytes) to a file that only its owner can read, unless it is there."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(hashlib.sha256(f"wardround/demo/{seed}".encode()).digest())
