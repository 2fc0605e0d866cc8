"""Servers that answer what no archive should: a study is refused with its reason, and nothing is written elsewhere."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardround.errors import WardroundError
from wardround.imaging.sources.errors import SourceError
from wardround.imaging.sources.prepare import prepare
from wardround.imaging.sources.search import Record, pages, value

from .conftest import Hospital
from .test_archive import MakeOrder, total
from .test_troubles import unfetched

Answer = tuple[int, str, bytes]
RELATED = 'multipart/related; type="application/dicom"; boundary=b'
STUDY, GOOD = "1.2.3", "1.2.4"


class Hostile(BaseHTTPRequestHandler):
    """Names two studies. One is handed over as it should be; for the other, `answers` says what comes."""

    image = b""
    answers: ClassVar[dict[str, Answer]] = {}

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        status, content_type, body = self.answers.get(path) or self.proper(path, "offset" in query)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def proper(self, path: str, later: bool) -> Answer:
        if later:
            return records()
        if path.endswith("/series"):
            return records({"0020000E": f"{path.split('/')[-2]}.1", "00080060": "DX"})
        if path.endswith("/studies"):
            return records({"0020000D": STUDY}, {"0020000D": GOOD})
        return multipart(self.image)

    def log_message(self, *_: object) -> None:
        pass


def records(*found: dict[str, str]) -> Answer:
    content = [{tag: {"vr": "UI", "Value": [each]} for tag, each in record.items()} for record in found]
    return 200, "application/dicom+json", json.dumps(content).encode()


def multipart(*bodies: bytes, end: bytes = b"\r\n--b--") -> Answer:
    return 200, RELATED, b"".join(b"\r\n--b\r\n\r\n" + body for body in bodies) + end


@contextmanager
def serving(image: bytes, answers: dict[str, Answer]) -> Iterator[str]:
    handler = type("Handler", (Hostile,), {"image": image, "answers": answers})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@pytest.fixture
def attempt(hospital: Hospital, order: MakeOrder, tmp_path: Path) -> Callable[..., list[str]]:
    """Prepares from a server, and returns the reasons of what was not fetched; the good study always arrives."""

    def run(answers: dict[str, Answer], **chosen: object) -> list[str]:
        image = (hospital.files / "001.dcm").read_bytes()
        with serving(image, answers) as url:
            info = prepare(order(url, labelled_only=False, modalities=["DX"], keep_files=True, **chosen))
        assert total(info) == 1
        return unfetched(tmp_path)

    return run


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (multipart(b"x" * 5000, end=b""), "incomplete"),
        (multipart(), "incomplete"),
        ((200, "text/html", b"<html>Please log in</html>"), "answer-malformed"),
        ((200, "multipart/related", b""), "answer-malformed"),
        ((200, RELATED, b"\r\n--b\r\n" + b"X: y\r\n" * 50_000), "answer-malformed"),
        (multipart(b"x" * 200_000), "too-large"),
        ((403, "text/plain", b"no"), "denied"),
        ((404, "text/plain", b"no"), "not-in-archive"),
        ((500, "text/plain", b"no"), "archive-error"),
        ((503, "text/plain", b"no"), "no-answer"),
    ],
)
def test_a_study_with_a_bad_answer_is_listed_with_its_reason(
    attempt: Callable[..., list[str]], answer: Answer, reason: str
) -> None:
    series = {"0020000E": f"{STUDY}.1", "00080060": "DX", "00201209": "1"}
    answers = {f"/studies/{STUDY}/series/{STUDY}.1": answer, f"/studies/{STUDY}/series": records(series)}
    assert attempt(answers, max_file_bytes=100_000) == [reason]


@pytest.mark.parametrize("level", ["study", "series"])
@pytest.mark.parametrize(
    "name", ["..", "../../etc", "1.2/../../x", ".", "a b", "1.2%2f3", "x" * 65, "1\n2", "é"]
)
def test_identifiers_that_could_be_paths_never_become_one(
    attempt: Callable[..., list[str]], tmp_path: Path, name: str, level: str
) -> None:
    before = set(tmp_path.iterdir())
    if level == "study":
        answers = {"/studies": records({"0020000D": name}, {"0020000D": GOOD})}
    else:
        answers = {f"/studies/{STUDY}/series": records({"0020000E": name, "00080060": "DX"})}
    assert attempt(answers) == ["illegal-identifier"]
    made = {path.name for path in set(tmp_path.iterdir()) - before}
    # Beside the key lies the file that remembers patients' splits, and its lock.
    assert {name for name in made if not name.startswith("splits-")} == {"incoming", "out"}


@pytest.mark.parametrize(
    "answer",
    [
        (302, "text/plain", b""),
        (200, "text/html", b"<html>"),
        (200, "application/json", b'{"a": 1}'),
        (200, "application/json", b"[1, 2]"),
        (200, "application/json", b"[" * 100_000),
        (200, "application/json", b"\xff\xfe"),
        (400, "text/plain", b"no"),
        (501, "text/plain", b"no"),
    ],
    ids=["redirect", "html", "object", "numbers", "deep", "no-text", "400", "501"],
)
def test_a_search_with_a_bad_answer_ends_the_step(attempt: Callable[..., list[str]], answer: Answer) -> None:
    with pytest.raises(WardroundError) as refusal:
        attempt({"/studies": answer})
    assert refusal.value.code in ("source", "selection-empty")


def test_a_redirect_is_not_followed_when_fetching_either(attempt: Callable[..., list[str]]) -> None:
    with pytest.raises(SourceError, match="redirect"):
        attempt({f"/studies/{STUDY}/series/{STUDY}.1": (302, "text/plain", b"")})


def studies(count: int) -> list[Record]:
    return [{"0020000D": {"vr": "UI", "Value": [f"1.{index}"]}} for index in range(count)]


def uid(record: Record) -> str:
    return value(record, "StudyInstanceUID")


@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 20))
def test_every_study_is_found_whatever_limits_a_server_has(
    count: int, page_size: int, own_limit: int
) -> None:
    whole = studies(count)

    def capped(offset: int, limit: int) -> list[Record]:
        return whole[offset : offset + min(limit, own_limit)]

    def counts_what_it_skips(offset: int, limit: int) -> list[Record]:
        return whole[offset : max(offset, limit)]

    for server in (capped, counts_what_it_skips):
        assert list(pages(server, page_size, uid)) == whole


@given(st.integers(21, 60), st.integers(1, 20))
def test_a_server_without_paging_is_understood_and_one_that_repeats_itself_is_an_error(
    count: int, page_size: int
) -> None:
    whole = studies(count)
    assert list(pages(lambda offset, limit: whole, page_size, uid)) == whole
    with pytest.raises(SourceError, match="first one"):
        list(pages(lambda offset, limit: whole[:limit], page_size, uid))


json_values = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(json_values)
def test_no_json_makes_reading_a_record_fail(element: Any) -> None:
    for record in ({"0020000D": element}, {"0020000D": {"Value": element}}):
        assert isinstance(value(record, "StudyInstanceUID"), str)
