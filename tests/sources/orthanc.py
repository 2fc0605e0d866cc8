"""A real archive to test against: Orthanc with its DICOMweb plugin, on loopback, with a password."""

import base64
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest

PACKAGES = "orthanc orthanc-dicomweb"
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
USER, PASSWORD = "ward", "round-and-round"
_START_SECONDS = 30.0


def program() -> str:
    """Orthanc's program; skips the test where it or its plugin is not installed."""
    found = shutil.which("Orthanc", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None or not PLUGIN.is_file():
        pytest.skip(f"THE ARCHIVE IS NOT TESTED: install Debian's packages {PACKAGES}")
    return found


class Orthanc:
    """A running archive with its data in `folder`; a context manager. `changes` replace parts of its settings."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder = folder
        self.port = free_port()
        self._changes = changes
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of its DICOMweb service."""
        return f"{'https' if self._changes.get('SslEnabled') else 'http'}://127.0.0.1:{self.port}/dicom-web"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when it answers; always on the same port."""
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self.folder / "orthanc.json"
        settings.write_text(json.dumps({**self._settings(), **self._changes}))
        with (self.folder / "orthanc.log").open("ab") as log:
            self._process = subprocess.Popen([program(), str(settings)], stdout=log, stderr=log)
        end = time.monotonic() + _START_SECONDS
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                pytest.fail(f"Orthanc did not start: {(self.folder / 'orthanc.log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends it as a crash would; its database survives that."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def change(self, **changes: Any) -> None:
        """Replaces parts of its settings from the next start on."""
        self._changes |= changes

    def store(self, files: Iterable[Path]) -> None:
        """Imports DICOM files."""
        for path in files:
            self.rest("POST", "/instances", path.read_bytes())

    def delete_study(self, uid: str) -> None:
        """Removes a study."""
        (found,) = self.rest("POST", "/tools/lookup", uid.encode())
        self.rest("DELETE", found["Path"])

    def rest(self, method: str, path: str, body: bytes | None = None) -> Any:
        """A request to its own REST interface."""
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, method=method)
        request.add_header("Authorization", f"Basic {login}")
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def _listens(self) -> bool:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        return False

    def _settings(self) -> dict[str, Any]:
        data = str(self.folder / "data")
        return {
            "StorageDirectory": data,
            "IndexDirectory": data,
            "HttpPort": self.port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USER: PASSWORD},
            "DicomServerEnabled": False,
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
