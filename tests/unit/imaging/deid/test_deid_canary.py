"""A unique value in every place where an identifier can stand: none of them is in the output's bytes."""

from pathlib import Path

import pytest
from deid_cases import (
    DEFLATED,
    KEY,
    Canaries,
    canary_object,
    inflated,
    leaks,
    read,
    rules,
    table_rows,
    written,
)
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from wardround.imaging.deid.files import deidentify_file
from wardround.imaging.deid.rules import Rules

SYNTAXES = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "big-endian": ExplicitVRBigEndian,
    "deflated": DEFLATED,
}


def output_of(tmp_path: Path, content: bytes, chosen: Rules) -> bytes:
    (tmp_path / "in.dcm").write_bytes(content)
    deidentify_file(tmp_path / "in.dcm", tmp_path / "out.dcm", chosen)
    return (tmp_path / "out.dcm").read_bytes()


def full(canaries: Canaries, syntax: str) -> bytes:
    """The canary object as a file, with canaries in preamble and file meta too."""
    dataset = canary_object(canaries)
    meta = dataset.file_meta
    meta.ImplementationVersionName = canaries.value("SH", "meta version name")
    meta.SourceApplicationEntityTitle = canaries.value("AE", "meta source")
    meta.SendingApplicationEntityTitle = canaries.value("AE", "meta sending")
    meta.ReceivingApplicationEntityTitle = canaries.value("AE", "meta receiving")
    meta.PrivateInformationCreatorUID = canaries.value("UI", "meta private creator")
    meta.PrivateInformation = canaries.value("OB", "meta private")
    preamble = str(canaries.value("LT", "preamble")).encode().ljust(128, b"\0")
    return written(dataset, syntax, preamble)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_no_canary_is_left_in_any_transfer_syntax(tmp_path: Path, syntax: str) -> None:
    canaries = Canaries()
    content = full(canaries, SYNTAXES[syntax])
    found_before = set(leaks(inflated(content) + content, canaries))
    # The search itself works: all is found before, but what an object can't hold twice.
    assert len(found_before) > 0.95 * len(canaries.planted)
    output = output_of(tmp_path, content, rules())
    assert leaks(inflated(output) + output, canaries) == []


@pytest.mark.parametrize(
    "options",
    [
        {"descriptors": True},
        {"structured_content": True},
        {"safe_private": True},
        {"descriptors": True, "structured_content": True, "safe_private": True, "dates": "shift"},
    ],
    ids=lambda options: "+".join(options),
)
def test_no_canary_is_left_with_an_option_that_cleans(tmp_path: Path, options: dict[str, object]) -> None:
    canaries = Canaries()
    output = output_of(tmp_path, full(canaries, ExplicitVRLittleEndian), rules(**options))
    found = leaks(output, canaries)
    if options.get("dates") == "shift":
        # Times of day stay, and a moved date may be another's canary.
        times = {str(row["tag"]) for row in table_rows() if row["vr"] in ("DA", "TM", "DT")}
        found = [where for where in found if where.split()[1] not in times]
    assert found == []


@pytest.mark.parametrize("option", ["device", "institution", "patient_characteristics", "uids"])
def test_an_option_that_keeps_keeps_its_own_attributes_only(tmp_path: Path, option: str) -> None:
    canaries = Canaries()
    output = output_of(tmp_path, full(canaries, ExplicitVRLittleEndian), rules(**{option: True}))
    kept = {str(row["tag"]) for row in table_rows() if option in dict(row["options"])}  # type: ignore[call-overload]
    found = {where.split()[1] for where in leaks(output, canaries)}
    assert found and found <= kept | ({"every"} if option == "uids" else set())


def test_a_canary_in_bytes_after_the_pixels_is_cut_off(tmp_path: Path) -> None:
    dataset = canary_object(Canaries())
    dataset.PixelData = bytes(range(32)) + b"Qz after the last pixel"
    output = output_of(tmp_path, written(dataset), rules())
    assert b"Qz after" not in output and bytes(range(32)) in output


def test_an_overlay_in_the_pixels_own_bits_is_cut_out(tmp_path: Path) -> None:
    dataset = canary_object(Canaries())
    dataset.PixelData = b"\x34\xf2" * 16
    for tag in (0x60003000, 0x601E3000):
        del dataset[tag]
    dataset.add_new(0x60000102, "US", 12)
    output = read(output_of(tmp_path, written(dataset), rules()))
    assert output.PixelData == b"\x34\x02" * 16


def test_the_key_is_in_no_output(tmp_path: Path) -> None:
    assert KEY not in output_of(tmp_path, full(Canaries(), ExplicitVRLittleEndian), rules())
