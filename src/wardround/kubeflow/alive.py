"""Whether a process that waits for events still does: an answer over HTTP for the kubelet's probes."""

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Pulse:
    """Answers GET with 200 while `beat` was called in the last `limit_s` seconds, and with 503 afterwards."""

    limit_s: float
    _last: float = field(default_factory=time.monotonic)

    def beat(self) -> None:
        """Says that all is well."""
        self._last = time.monotonic()

    def serve(self, port: int, host: str = "") -> int:
        """Answers in a thread of its own until the process ends. Returns the port; 0 takes a free one."""
        server = ThreadingHTTPServer((host, port), _handler(self))
        threading.Thread(target=server.serve_forever, name="pulse", daemon=True).start()
        return server.server_port

    @property
    def status(self) -> int:
        """The HTTP status now."""
        return 200 if time.monotonic() - self._last <= self.limit_s else 503


def _handler(pulse: Pulse) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(pulse.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Probes are no news."""

    return Handler
