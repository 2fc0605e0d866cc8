"""The demo's folder: where everything lies, and whose it is.

    data/<site>/dicom, labels.csv     the hospitals' images
    recipe.yaml, plan/                what is trained
    exchange/                         the S3 server's data, and the identities on it
    sites/<site>/                     key.pem, split.key, approvals/, work/
    coordinator/                      key.pem, work/
    mlflow/mlflow.db, artifacts/      every round's model
    models/                           the baselines' scores, to be reused
    logs/, state.json, report.json, report.html

Only a folder with the demo's own mark is ever continued or deleted.
"""

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from wardround.errors import ConfigurationError
from wardround.registry.sqlite_address import database_uri

MARK = ".wardround-demo"


@dataclass(frozen=True)
class DemoFolder:
    """Paths in the demo's folder, which is absolute."""

    root: Path

    @property
    def state(self) -> Path:
        """What was set up, so that the demo can go on."""
        return self.root / "state.json"

    @property
    def recipe(self) -> Path:
        """The recipe with everything that was chosen filled in."""
        return self.root / "recipe.yaml"

    @property
    def plan(self) -> Path:
        """The compiled recipe."""
        return self.root / "plan"

    @property
    def exchange(self) -> Path:
        """The S3 server's folder."""
        return self.root / "exchange"

    @property
    def identities(self) -> Path:
        """One file of S3 credentials for each party."""
        return self.exchange / "identities"

    @property
    def tracking_uri(self) -> str:
        """MLflow's database."""
        return database_uri(self.root / "mlflow" / "mlflow.db")

    @property
    def coordinator(self) -> Path:
        """The coordinator's own folder."""
        return self.root / "coordinator"

    @property
    def models(self) -> Path:
        """What each model scored on the test patients."""
        return self.root / "models"

    @property
    def report(self) -> Path:
        """The report."""
        return self.root / "report.json"

    @property
    def page(self) -> Path:
        """The report as a page."""
        return self.root / "report.html"

    def data(self, site: str) -> Path:
        """A hospital's images and labels."""
        return self.root / "data" / site

    def site(self, site: str) -> Path:
        """A hospital's own folder."""
        return self.root / "sites" / site

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.root / "logs" / f"{name}.log"


def claim(root: Path, *, resume: bool, fresh: bool) -> tuple[DemoFolder, IO[str]]:
    """The folder, new or to be continued, and the lock on it: held until it is closed.

    Raises ConfigurationError: the folder is somebody else's, in use, or it is not said what to do with it.
    """
    folder = DemoFolder(root.resolve())
    ours = (folder.root / MARK).is_file()
    if not ours and folder.root.exists() and (not folder.root.is_dir() or any(folder.root.iterdir())):
        raise ConfigurationError(
            f"{root} is not a demo's folder and not empty, so it is left alone; name another with --folder"
        )
    _check_wish(root, ours=ours, resume=resume, fresh=fresh)
    folder.root.mkdir(parents=True, exist_ok=True)
    lock = _lock(folder.root / MARK)
    if ours and fresh:
        _empty(folder.root)
    return folder, lock


def _check_wish(root: Path, *, ours: bool, resume: bool, fresh: bool) -> None:
    if resume and fresh:
        raise ConfigurationError("--resume and --fresh exclude each other; give one of them")
    if ours and not (resume or fresh):
        raise ConfigurationError(
            f"{root} holds an earlier demo; go on with it: --resume; delete it and start again: --fresh; "
            "or name another folder with --folder"
        )
    if resume and not ours:
        raise ConfigurationError(f"{root} holds no demo that could be resumed; leave --resume out")


def _lock(mark: Path) -> IO[str]:
    lock = mark.open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise ConfigurationError(
            f"another demo runs in {mark.parent}; wait for it, end it, or name another folder with --folder"
        ) from error
    return lock


def _empty(root: Path) -> None:
    """Removes all but the mark, which goes on being locked."""
    for entry in os.scandir(root):
        if entry.name == MARK:
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
