"""Taking a multipart answer (RFC 2046 section 5.1) apart while it arrives.

dicomweb-client joins a part in memory, copies it and parses it at once: several times the size of an instance, and a
parser at work on what nobody has checked. Here a part passes through in blocks and is not looked at.
"""

from collections.abc import Iterable, Iterator
from email.message import Message

from wardround.imaging.sources.errors import ParcelError, Why

_HEADER_BYTES = 1 << 16
_END_OF_HEADERS = b"\r\n\r\n"


def boundary_of(content_type: str) -> bytes | None:
    """The boundary of a `multipart/related` answer, None for other content. Raises ParcelError without one."""
    message = Message()
    message["content-type"] = content_type
    if message.get_content_type() != "multipart/related":
        return None
    boundary = message.get_boundary()
    if not boundary:
        raise ParcelError(Why.MALFORMED)
    return boundary.encode("latin-1", "replace")


def parts(blocks: Iterable[bytes], boundary: bytes) -> Iterator[Iterator[bytes]]:
    """The bodies of the parts, each as an iterator of blocks that is to be used up before the next is asked for.

    Holds no more than a block and a part's headers. Raises ParcelError if the answer ends before its closing
    delimiter, so a broken connection never looks like the end.
    """
    stream = _Stream(iter(blocks), b"\r\n--" + boundary)
    for _ in stream.to_delimiter():
        pass
    while not stream.closed():
        stream.skip_headers()
        body = stream.to_delimiter()
        yield body
        for _ in body:
            pass


class _Stream:
    def __init__(self, blocks: Iterator[bytes], delimiter: bytes) -> None:
        self._blocks = blocks
        self._delimiter = delimiter
        # The line break before the first delimiter is optional.
        self._buffer = b"\r\n"

    def to_delimiter(self) -> Iterator[bytes]:
        keep = len(self._delimiter) - 1
        while (at := self._buffer.find(self._delimiter)) < 0:
            # A delimiter may straddle two blocks.
            ready, self._buffer = self._buffer[:-keep], self._buffer[-keep:]
            if ready:
                yield ready
            self._more()
        ready, self._buffer = self._buffer[:at], self._buffer[at + len(self._delimiter) :]
        if ready:
            yield ready

    def closed(self) -> bool:
        while len(self._buffer) < 2:
            self._more()
        return self._buffer.startswith(b"--")

    def skip_headers(self) -> None:
        while (at := self._buffer.find(_END_OF_HEADERS)) < 0:
            if len(self._buffer) > _HEADER_BYTES:
                raise ParcelError(Why.MALFORMED)
            self._more()
        self._buffer = self._buffer[at + len(_END_OF_HEADERS) :]

    def _more(self) -> None:
        block = next(self._blocks, None)
        if block is None:
            raise ParcelError(Why.INCOMPLETE)
        self._buffer += block
