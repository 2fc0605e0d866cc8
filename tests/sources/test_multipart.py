"""A multipart answer comes apart whatever blocks it arrives in, and never ends early unnoticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardround.imaging.sources.errors import ParcelError
from wardround.imaging.sources.multipart import boundary_of, parts

BOUNDARY = b"c1b8a7ae-fd2e"
# Bodies full of what looks like the beginning of a delimiter.
bodies = st.lists(
    st.lists(
        st.sampled_from([b"\r\n--", b"\r", b"\n", b"-", b"\r\n--c1b8", b"\0", b"DICM"]), max_size=12
    ).map(b"".join),
    max_size=5,
)


def message(content: list[bytes], preamble: bytes = b"") -> bytes:
    heads = [b"\r\n--" + BOUNDARY + b"\r\nContent-Type: application/dicom\r\n\r\n" + body for body in content]
    whole = preamble + b"".join(heads) + b"\r\n--" + BOUNDARY + b"--\r\n"
    return whole if preamble else whole.removeprefix(b"\r\n")


def blocks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@given(bodies, st.integers(1, 200), st.sampled_from([b"", b"preamble"]))
def test_the_bodies_come_out_as_they_went_in(content: list[bytes], size: int, preamble: bytes) -> None:
    data = message(content, preamble)
    assert [b"".join(body) for body in parts(blocks(data, size), BOUNDARY)] == content


@given(bodies.filter(bool), st.integers(1, 200), st.data())
def test_an_answer_that_ends_early_is_an_error(content: list[bytes], size: int, data: st.DataObject) -> None:
    whole = message(content)
    # Without the last four bytes ("--", CRLF) nothing says that this was all.
    cut = data.draw(st.integers(0, len(whole) - 4))
    with pytest.raises(ParcelError, match="incomplete"):
        for body in parts(blocks(whole[:cut], size), BOUNDARY):
            b"".join(body)


def test_a_body_that_is_not_read_is_skipped() -> None:
    whole = message([b"a" * 1000, b"b"])
    assert len(list(parts(blocks(whole, 7), BOUNDARY))) == 2


def test_headers_that_never_end_are_an_error() -> None:
    with pytest.raises(ParcelError, match="answer-malformed"):
        list(parts([b"--" + BOUNDARY + b"\r\n", *[b"X: y\r\n" * 1000] * 1000], BOUNDARY))


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ('multipart/related; type="application/dicom"; boundary=abc', b"abc"),
        ('Multipart/Related; Boundary="a b;c"; type=application/dicom', b"a b;c"),
        ("application/dicom", None),
        ("text/html", None),
        ("", None),
    ],
)
def test_the_boundary_is_read_from_the_content_type(content_type: str, boundary: bytes | None) -> None:
    assert boundary_of(content_type) == boundary


def test_a_multipart_answer_without_a_boundary_is_an_error() -> None:
    with pytest.raises(ParcelError, match="answer-malformed"):
        boundary_of("multipart/related")
