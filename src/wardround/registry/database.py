"""A database file that MLflow has made completely, or none.

MLflow makes its tables one after the other, and refuses a file in which some are missing. A process that is killed
meanwhile would leave such a file for good, so a new one is made under another name first.
"""

import os
import secrets
from contextlib import suppress

from mlflow import MlflowClient

from wardround.registry.sqlite_address import database_file, database_uri


def make_database(tracking_uri: str) -> None:
    """Makes the file of a SQLite address unless it is there; of several processes at once the first one's stays."""
    path = database_file(tracking_uri)
    if path is None or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        MlflowClient(database_uri(part), database_uri(part)).search_experiments(max_results=1)
        with suppress(FileExistsError):
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
