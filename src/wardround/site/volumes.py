"""A hospital's two volumes, looked at before the first run: what can't be written later is said now."""

import os
import tempfile
from pathlib import Path

from wardround.errors import ConfigurationError

_APPROVALS = "approvals"


def prepare_work(work: Path) -> str:
    """Writes and removes a file in the work folder, makes its folder of approvals; returns what was found.

    Raises ConfigurationError (`work-not-writable`).
    """
    try:
        with tempfile.NamedTemporaryFile(dir=work, prefix=".probe-"):
            pass
        (work / _APPROVALS).mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{str(work)!r} cannot be written by user {os.getuid()} and group {os.getgid()} ({error.strerror}); "
            "give the volume's folder to that user or group, for Kubeflow gives the pods of runs no other",
            code="work-not-writable",
        ) from error
    free = os.statvfs(work)
    return f"can be written; {free.f_bavail * free.f_frsize / 2**30:.1f} GiB free"


def check_readable(images: Path) -> str:
    """Lists the folder; returns what was found. Raises ConfigurationError (`images-not-readable`)."""
    try:
        empty = next(iter(os.scandir(images)), None) is None
    except OSError as error:
        raise ConfigurationError(
            f"{str(images)!r} cannot be read by user {os.getuid()} and group {os.getgid()} ({error.strerror}); "
            "let that user, that group, or everybody read the volume",
            code="images-not-readable",
        ) from error
    return "can be read; nothing is in it yet" if empty else "can be read"
