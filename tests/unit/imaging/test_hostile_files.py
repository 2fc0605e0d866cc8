"""Files that lie, break or explode are refused with a reason, quickly and in little memory."""

import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from imaging_cases import Settings, WriteXray

from wardround.imaging.decode import decode_item
from wardround.imaging.reading.codestream import codestream_size
from wardround.imaging.reading.kinds import Kind
from wardround.imaging.reading.structure import check_structure
from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.scan import Found, ScanRule, list_files, scan_file

TORTURE = Path(__file__).parents[4] / "shared" / "data" / "dicom_torture" / "files"
MODALITIES = ("CR", "DX", "MR", "CT", "NM", "OT", "US", "RTDOSE", "SEG", "SM")
RULE = ScanRule(
    key=b"k" * 16,
    modality=MODALITIES,
    max_bytes=64 << 20,
)


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    value += b" " * (len(value) % 2)
    if vr in (b"OB", b"SQ", b"UN"):
        return struct.pack("<HH2sxxI", group, number, vr, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def part10(syntax: bytes, body: bytes) -> bytes:
    meta = element(2, 0x10, b"UI", syntax)
    return b"\0" * 128 + b"DICM" + element(2, 0, b"UL", struct.pack("<I", len(meta))) + meta + body


def scan(tmp_path: Path, content: bytes) -> Found:
    (tmp_path / "a.dcm").write_bytes(content)
    return scan_file(tmp_path, "a.dcm", RULE)


def test_a_deflated_file_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = b"".join(packer.compress(b"\0" * (1 << 20)) for _ in range(300)) + packer.flush()
    assert len(bomb) < 1 << 20
    assert scan(tmp_path, part10(b"1.2.840.10008.1.2.1.99", bomb)).refused == Reason.TOO_LARGE


def test_sequences_nested_a_hundred_thousand_deep_are_refused(tmp_path: Path) -> None:
    # Sequence and item of undefined length, each inside the other.
    level = struct.pack("<HH2sxxI", 0x0008, 0x1140, b"SQ", 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    refused = scan(tmp_path, part10(b"1.2.840.10008.1.2.1", level * 100_000)).refused
    assert refused in (Reason.TOO_DEEP, Reason.DAMAGED_HEADER)


@pytest.mark.parametrize("defined", [False, True])
@pytest.mark.parametrize("syntax", [b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1"])
def test_deep_sequences_are_refused_before_a_parser_sees_them(
    tmp_path: Path, syntax: bytes, defined: bool
) -> None:
    body = b""
    for _ in range(100):
        size = len(body) if defined else 0xFFFFFFFF
        item = struct.pack("<HHI", 0xFFFE, 0xE000, size) + body
        size = len(item) if defined else 0xFFFFFFFF
        if syntax.endswith(b".1"):
            body = struct.pack("<HH2sxxI", 0x0008, 0x1140, b"SQ", size) + item
        else:
            body = struct.pack("<HHI", 0x0008, 0x1140, size) + item
    assert scan(tmp_path, part10(syntax, body)).refused == Reason.TOO_DEEP


def test_a_flood_of_empty_elements_is_refused(tmp_path: Path) -> None:
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    inside = struct.pack("<HH2sH", 0x0009, 0x1001, b"LO", 0) * 600_000
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(inside)) + inside
    assert scan(tmp_path, part10(b"1.2.840.10008.1.2.1", element(8, 0x1140, b"SQ", item))).refused == (
        Reason.TOO_MANY
    )


def test_a_pipe_that_nobody_writes_to_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.dcm")
    found = scan_file(tmp_path, "a.dcm", RULE)
    assert found.refused == Reason.NOT_A_FILE and found.kind == Kind()


def test_the_walk_ends_where_the_pixels_begin() -> None:
    pixels = element(0x7FE0, 0x0010, b"OB", struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) * 200)
    check_structure(element(8, 0x60, b"CS", b"CT") + pixels, 0, implicit=False)


@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_any_bytes_are_walked_to_an_end(raw: bytes, implicit: bool, big_endian: bool) -> None:
    with suppress(Refusal):
        check_structure(raw, 0, implicit=implicit, big_endian=big_endian)


@hypothesis_settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=400), st.sampled_from([b"", b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1.99"]))
def test_any_bytes_after_the_prefix_are_refused_and_never_raise(
    tmp_path: Path, raw: bytes, syntax: bytes
) -> None:
    content = part10(syntax, raw) if syntax else b"\0" * 128 + b"DICM" + raw
    assert scan(tmp_path, content).refused is not None


def test_an_element_that_claims_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    claim = struct.pack("<HH2sxxI", 0x0009, 0x1001, b"UN", 0x7FFFFFFF) + b"x"
    assert scan(tmp_path, part10(b"1.2.840.10008.1.2.1", claim)).refused is not None


@hypothesis_settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    cut=st.floats(0, 1),
)
def test_a_damaged_file_is_read_or_refused_and_never_raises(
    tmp_path: Path, write_xray: WriteXray, settings: Settings, changes: list[tuple[float, int]], cut: float
) -> None:
    write_xray("a")
    path = tmp_path / "source" / "a.dcm"
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[int(place * min(len(content), 1800))] = value
    path.write_bytes(content[: max(1, int(len(content) * min(1, cut * 1.5)))])
    if scan_file(tmp_path / "source", "a.dcm", RULE).refused is None:
        try:
            assert decode_item([path], settings()).shape == (16, 16, 1)
        except Refusal as refusal:
            assert refusal.code == refusal.reason.value


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\x4f\xff\x51"]))
def test_any_bytes_as_codestream_have_a_size_or_none(raw: bytes, start: bytes) -> None:
    with suppress(Refusal):
        size = codestream_size(start + raw)
        assert size is None or size.rows < 2**32


@pytest.mark.skipif(not TORTURE.is_dir(), reason="the collection of difficult files is not here")
def test_difficult_files_of_others_are_read_or_have_a_reason(settings: Settings) -> None:
    outcomes = {}
    for path in list_files(TORTURE):
        found = scan_file(TORTURE, path, RULE)
        outcomes[path] = found.refused
        if found.refused is None:
            try:
                decode_item([TORTURE / path], settings())
            except Refusal as refusal:
                outcomes[path] = refusal.reason
    usable = [path for path, reason in outcomes.items() if reason is None]
    assert len(outcomes) > 90 and len(usable) >= 50
    assert outcomes["251_pydicom-wheel_MR_truncated.dcm"] == Reason.TRUNCATED
