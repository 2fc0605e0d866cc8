"""A TCP tap between a client and a real server: it counts, and breaks connections where a test says."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class Tap:
    """Forwards connections to `port` on this machine.

    `cut_after`: a connection is cut when the server has sent this many bytes on it. `swallow`: so many
    answers are not delivered: the server's first bytes after an upload are dropped, and the connection with
    them. `broken`: so many connections have been cut.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.down = 0
        self.broken = 0
        self.cut_after: int | None = None
        self.swallow = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (self._server, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                self._open += [client, server]
                threading.Thread(target=self._up, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answers, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while block := client.recv(1 << 16):
                server.sendall(block)
        self._cut(client, server)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        sent = 0
        with suppress(OSError):
            while block := server.recv(1 << 16):
                if self.swallow > 0:
                    self.swallow -= 1
                    self.broken += 1
                    break
                if self.cut_after is not None and sent + len(block) > self.cut_after:
                    client.sendall(block[: max(self.cut_after - sent, 0)])
                    self.broken += 1
                    break
                client.sendall(block)
                sent += len(block)
                self.down += len(block)
        self._cut(client, server)

    @staticmethod
    def _cut(*pair: socket.socket) -> None:
        for each in pair:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
