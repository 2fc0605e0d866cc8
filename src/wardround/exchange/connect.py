"""Opening an exchange by its address."""

import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

from wardround.errors import ConfigurationError
from wardround.exchange.directory import DirectoryExchange
from wardround.exchange.patience import PatientExchange
from wardround.exchange.s3 import S3Exchange
from wardround.exchange.settings import from_environment
from wardround.exchange.store import Exchange


def open_exchange(address: str, stop: threading.Event | None = None) -> Exchange:
    """The exchange at `address`: a folder (`/path`, `file:///path`) or an S3 server (`https://host[:port]`).

    The S3 identity comes from the environment (`settings.from_environment`). `stop`, once set, ends retries.
    Raises ConfigurationError.
    """
    parts = urlsplit(address)
    if parts.scheme in ("https", "http"):
        return S3Exchange(from_environment(address), stop)
    if parts.scheme == "file" and not parts.netloc:
        return DirectoryExchange(Path(unquote(parts.path)))
    if not parts.scheme and address:
        return DirectoryExchange(Path(address))
    raise ConfigurationError(
        f"exchange address with scheme {parts.scheme!r} is not legal; give a folder, file:///folder, or "
        "https://host[:port]"
    )


def open_patient(address: str, outage_s: float, stop: threading.Event) -> PatientExchange:
    """The exchange at `address`, waited for up to `outage_s` seconds while it is away. Raises ConfigurationError."""
    return PatientExchange(open_exchange(address, stop), outage_s, stop)
