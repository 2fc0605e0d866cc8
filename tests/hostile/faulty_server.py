"""Something between a coordinator and its S3 server that answers some requests as a server does to what a site did.

SeaweedFS knows no rights of single objects: what other servers say to those that their writer closed is said here.
Everything else goes through to the real server.
"""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>no</Message>'
    "<Resource>x</Resource><RequestId>1</RequestId><HostId>1</HostId></Error>"
)


@dataclass(frozen=True)
class Fault:
    """An answer in place of the server's: a status and an S3 code, or the first `cut` bytes of the body."""

    status: int = 200
    code: str = ""
    cut: int | None = None


@dataclass
class FaultyServer:
    """`faults`: the start of a path → what is answered to a GET or HEAD of it."""

    address: str
    faults: dict[str, Fault] = field(default_factory=dict)

    def fault(self, path: str) -> Fault | None:
        return next((fault for start, fault in self.faults.items() if path.startswith(start)), None)


@contextmanager
def faulty_server(address: str) -> Iterator[FaultyServer]:
    """One before the server at `address` (`http://host:port`)."""
    faulty = FaultyServer("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._handle()

        do_HEAD = do_PUT = do_GET

        def log_message(self, *_: Any) -> None:
            return

        def _handle(self) -> None:
            fault = faulty.fault(self.path) if self.command in ("GET", "HEAD") else None
            if fault is not None and fault.cut is None:
                self._say(
                    fault.status, {"Content-Type": "application/xml"}, _ERROR.format(code=fault.code).encode()
                )
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            upstream = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
            upstream.request(self.command, self.path, body=body, headers=dict(self.headers))
            answer = upstream.getresponse()
            data, headers = answer.read(), dict(answer.getheaders())
            upstream.close()
            if fault is not None and self.command == "GET":
                self._say(answer.status, headers, data, cut=fault.cut)
                self.close_connection = True
                return
            self._say(answer.status, headers, data)

        def _say(self, status: int, headers: dict[str, str], data: bytes, cut: int | None = None) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                    self.send_header(name, value)
            length = headers.get("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data[:cut])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    faulty.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield faulty
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
