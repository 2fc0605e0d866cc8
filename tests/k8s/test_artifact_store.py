"""Which store for artifacts can make users: the demo asks, and shares the login of one that cannot."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest
from k8s.demo.artifacts import Store, makes_users
from k8s.demo.shell import DemoError


@contextmanager
def server(status: int, body: str) -> Iterator[Store]:
    """A store that answers all requests in one way."""

    class Answer(BaseHTTPRequestHandler):
        asked: ClassVar[list[str]] = []

        def do_GET(self) -> None:
            self.asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        try:
            yield Store(f"127.0.0.1:{http.server_port}", "minio", "minio123", shared=False)
        finally:
            http.shutdown()
            thread.join()
    assert Answer.asked == ["/minio/admin/v3/list-canned-policies"]


def _error(code: str) -> str:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>"


def test_a_minio_of_today_makes_users() -> None:
    with server(200, '{"readonly": {"Version": "2012-10-17"}}') as store:
        assert makes_users(store)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, _error("NoSuchBucket")),  # a store that takes the path for an object's
        (400, _error("InvalidBucketName")),
        (404, "404 page not found"),
        (405, ""),
        (200, "<html></html>"),
        (200, "[]"),
    ],
)
def test_a_store_without_that_api_makes_none(status: int, body: str) -> None:
    with server(status, body) as store:
        assert not makes_users(store)


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_a_login_that_is_refused_is_not_shared(code: str) -> None:
    with server(403, _error(code)) as store, pytest.raises(DemoError, match="does not administer"):
        makes_users(store)
