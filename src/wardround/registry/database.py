"""A database file that MLflow has made completely, or none.

MLflow makes its tables one after the other, and refuses a file in which some are missing. A process that is killed
meanwhile would leave such a file for good, so a new one is made under another name first.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from mlflow import MlflowClient


def database_file(tracking_uri: str) -> Path | None:
    """The file of a `sqlite:///…` address; None for a server, or a database in memory."""
    if not tracking_uri.startswith("sqlite:"):
        return None
    path = urlsplit(tracking_uri).path.removeprefix("/")
    return Path(path).resolve() if path else None


def make_database(tracking_uri: str) -> None:
    """Makes the file of a SQLite address unless it is there; of several processes at once the first one's stays."""
    path = database_file(tracking_uri)
    if path is None or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        MlflowClient(f"sqlite:///{part}", f"sqlite:///{part}").search_experiments(max_results=1)
        with suppress(FileExistsError):
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
