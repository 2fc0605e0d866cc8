"""TLS in front of a server that speaks plainly, as hospitals put it in front of an archive.

Debian's Orthanc 1.10.1 cannot do it itself: the first request over TLS ends it with a segmentation fault.
"""

import socket
import ssl
import threading
from contextlib import suppress
from typing import Self

from wardround.local.seaweed import Certificate


class TlsFront:
    """Forwards TLS connections to `port` on this machine; a context manager."""

    def __init__(self, port: int, certificate: Certificate) -> None:
        self._port = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.certificate, certificate.key)
        self._server = socket.create_server(("127.0.0.1", 0))

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"https://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):  # a client that does not trust us hangs up
            inner = self._context.wrap_socket(client, server_side=True)
            server = socket.create_connection(("127.0.0.1", self._port))
            threading.Thread(target=_pump, args=(inner, server), daemon=True).start()
            _pump(server, inner)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(1 << 16):
            target.sendall(block)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
