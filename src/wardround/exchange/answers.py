"""What a server may answer: so many bytes, in so many requests, no slower than a line that is of use.

The libraries below read an answer whole before anybody looks at it, a listing or an error like any other, and ask for
the next page of a listing for as long as the server says that there is one. Whoever runs the server could so fill the
memory of whoever asks, or hold it for ever.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import urllib3
from urllib3.response import BaseHTTPResponse

from wardround.errors import RefusedError
from wardround.exchange.errors import ExchangeError, OversizedError
from wardround.exchange.pace import blocks

# A page of a listing has at most a thousand keys of a kilobyte; its elements take many times its bytes in memory.
MOST_BYTES = 4 << 20
# Five times what the largest listing that anybody accepts needs: some servers give small pages, and empty ones.
MOST_PAGES = 500
_WITH_CONTENT = (200, 204, 206)


class BoundedPool(urllib3.PoolManager):
    """Connections whose answers end. What is asked for as a stream is its reader's to bound."""

    _pages = threading.local()

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, *, preload_content: bool = True, **given: Any
    ) -> BaseHTTPResponse:
        """As urllib3's. Raises ExchangeError for an answer that is too long, UnavailableError for one too slow."""
        self._count()
        response = super().urlopen(method, url, preload_content=False, **given)
        if not preload_content and response.status in _WITH_CONTENT:
            return response
        return _whole(response, method)

    @contextmanager
    def listing(self) -> Iterator[None]:
        """The requests that this thread makes in the block are pages of one listing.

        RefusedError (`flooded`) is raised for more than `MOST_PAGES`.
        """
        self._pages.left = MOST_PAGES
        try:
            yield
        finally:
            self._pages.left = None

    def _count(self) -> None:
        left = getattr(self._pages, "left", None)
        if left is None:
            return
        if left <= 0:
            raise RefusedError(
                f"a listing of the exchange has more than {MOST_PAGES} pages and no end; ask its operator why",
                code="flooded",
            )
        self._pages.left = left - 1


def _whole(response: BaseHTTPResponse, method: str) -> BaseHTTPResponse:
    """The same answer with its body in memory. It stays as it was sent: nothing here is sent compressed."""
    try:
        body = b"".join(blocks(response, "an answer", MOST_BYTES))
    except OversizedError:
        response.close()
        raise ExchangeError(
            f"the exchange gave an answer of more than {MOST_BYTES} bytes where no server has so much to say; ask its "
            "operator why"
        ) from None
    except BaseException:
        response.close()
        raise
    finally:
        response.release_conn()
    return urllib3.HTTPResponse(
        BytesIO(body),
        headers=response.headers,
        status=response.status,
        reason=response.reason,
        decode_content=False,
        enforce_content_length=False,
        request_method=method,
    )
