"""Reading an answer's body in blocks, within its limit, and no slower than a line that is of use.

A socket's timeout is for silence: a server, or a proxy before it, that sends a byte a minute never breaks it.
"""

import time
from collections.abc import Iterator

from urllib3.response import BaseHTTPResponse

from wardround.exchange.errors import OversizedError, UnavailableError

BLOCK = 1 << 20
# 16 KiB/s is a model of 100 MB in under two hours, which no round waits for; the grace is for a line that stalls.
LEAST_BYTES_PER_SECOND = 16 << 10
GRACE_SECONDS = 60.0


def blocks(response: BaseHTTPResponse, key: str, limit: int) -> Iterator[bytes]:
    """The body. Raises OversizedError beyond `limit`; UnavailableError when it has become too slow."""
    begun, read = time.monotonic(), 0
    # What has come, not what fills a block; and as it was written: an object may say of itself that it is compressed.
    while block := response.read1(BLOCK, decode_content=False):
        read += len(block)
        if read > limit:  # a server that did not give the length
            raise OversizedError(key, read, limit)
        seconds = time.monotonic() - begun
        if seconds > GRACE_SECONDS + read / LEAST_BYTES_PER_SECOND:
            raise UnavailableError(
                f"the exchange sent {read} bytes of {key!r} in {seconds:.0f} s, fewer than {LEAST_BYTES_PER_SECOND} a "
                "second; check the line to it"
            )
        yield block
