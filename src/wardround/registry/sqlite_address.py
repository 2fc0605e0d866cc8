"""Addresses of SQLite files, as MLflow reads them. Needs no MLflow."""

from pathlib import Path
from urllib.parse import unquote

_SQLITE = "sqlite:///"


def database_file(tracking_uri: str) -> Path | None:
    """The file of a `sqlite:///…` address; None for a server, or a database in memory."""
    if not tracking_uri.startswith(_SQLITE):
        return None
    path = unquote(tracking_uri.removeprefix(_SQLITE).partition("?")[0])
    return Path(path).resolve() if path else None


def database_uri(path: Path) -> str:
    """The address of a SQLite file, whatever its folders are called: SQLAlchemy unquotes it."""
    # No more than that is quoted: MLflow also makes an empty folder of the name as it stands.
    return _SQLITE + str(path).replace("%", "%25").replace("?", "%3F")
