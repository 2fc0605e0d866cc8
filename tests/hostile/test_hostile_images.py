"""Images made to break the intake, the page and the pictures: each costs itself alone, and little time and memory."""

import csv
import io
import os
import re
import struct
import time
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless

from wardround.errors import WardroundError
from wardround.imaging import gate as gate_module
from wardround.imaging.burned_in import Rules as PixelRules
from wardround.imaging.burned_in.detector import look
from wardround.imaging.burned_in.verdict import Box, Outcome, Suspicion, Verdict
from wardround.imaging.decode import decode_item
from wardround.imaging.deid.folder import Job, deidentify_folder
from wardround.imaging.deid.options import Options
from wardround.imaging.deid.rules import Rules
from wardround.imaging.gate import Gate, look_at
from wardround.imaging.intake import preprocess
from wardround.imaging.inventory import Inventory
from wardround.imaging.labels import write_labels
from wardround.imaging.pool import Crew, Limits
from wardround.imaging.quarantine import Quarantine
from wardround.imaging.quarantine_picture import draw
from wardround.imaging.reading.claims import MAX_FRAMES
from wardround.imaging.reading.files import SourceFile
from wardround.imaging.reading.grey import read_stack
from wardround.imaging.reading.structure import MAX_ITEMS
from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.scan import ScanRule, scan_file
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.statistics.facts import FACT_TAGS
from wardround.imaging.statistics.report import write_report
from wardround.imaging.volumes.grouping import Member, volumes_of
from wardround.imaging.volumes.slices import Slice
from wardround.imaging.writer import Grey, Origin, write_dx

RULE = ScanRule(key=b"k" * 16, modality=("DX",), max_bytes=64 << 20)
RULES = Rules.of(Options(), b"k" * 32)
UNDEFINED = 0xFFFFFFFF
MARKUP = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x1b[2J"


def ramp(rows: int = 40, columns: int = 30) -> np.ndarray:
    return np.linspace(0, 4095, rows * columns).reshape(rows, columns).astype(np.uint16)


def write(path: Path, pixels: np.ndarray | None = None, **elements: object) -> Path:
    name = re.sub("[^A-Za-z0-9]", "", path.stem)
    write_dx(path, ramp() if pixels is None else pixels, Origin(name, "A^B", name, name, name, 1), Grey(12))
    if elements:
        dataset = pydicom.dcmread(path)
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
        dataset.save_as(path)
    return path


def with_elements(path: Path, raw: bytes) -> Path:
    """Puts encoded elements before the pixels."""
    content = write(path).read_bytes()
    at = content.index(struct.pack("<HH", 0x7FE0, 0x0010))
    path.write_bytes(content[:at] + raw + content[at:])
    return path


def long(group: int, number: int, kind: bytes, length: int) -> bytes:
    return struct.pack("<HH2sxxI", group, number, kind, length)


def item(content: bytes = b"") -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


TINY = struct.pack("<HH2sH", 0x5001, 0x1001, b"LO", 0)
FLOODS = {
    "a million elements": TINY * 1_000_000,
    "a million items": long(0x5400, 0x0100, b"SQ", 8_000_000) + item() * 1_000_000,
    "a million private items": long(0x5001, 0x1001, b"SQ", UNDEFINED) + item() * 1_000_000,
    "items in items": long(0x5400, 0x0100, b"SQ", UNDEFINED)
    + item(long(0x5400, 0x1010, b"SQ", 16) + item() * 2) * (MAX_ITEMS // 2),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_is_refused_before_a_parser_sees_it(flood: str, tmp_path: Path) -> None:
    path = with_elements(tmp_path / "source" / "a.dcm", FLOODS[flood])
    assert scan_file(path.parent, path.name, RULE).refused == Reason.TOO_MANY
    outcome = deidentify_folder(Job(path.parent, tmp_path / "clean", RULES, 0))
    assert outcome.refused == {"too-many-elements": 1}


@pytest.mark.parametrize(
    "raw",
    [
        long(0x5001, 0x1001, b"UN", 0x7FFFFFF0),
        long(0x5001, 0x1001, b"OB", 0xFFFFFFFE),
        long(0x5001, 0x1001, b"UN", UNDEFINED),
        long(0x5400, 0x0100, b"SQ", 0x7FFFFFF0) + struct.pack("<HHI", 0xFFFE, 0xE000, 0x7FFFFFF0),
        long(0x5001, 0x1001, b"UC", UNDEFINED) + b"x" * 100,
    ],
)
def test_an_element_of_gigabytes_that_are_not_there_is_refused(raw: bytes, tmp_path: Path) -> None:
    path = with_elements(tmp_path / "source" / "a.dcm", raw)
    with pytest.raises(Refusal):
        read_stack(path, 1 << 24)
    outcome = deidentify_folder(Job(path.parent, tmp_path / "clean", RULES, 0))
    assert outcome.refused.total() == 1


def short(group: int, number: int, kind: bytes, content: bytes) -> bytes:
    return struct.pack("<HH2sH", group, number, kind, len(content)) + content


def sequence(group: int, number: int, content: bytes) -> bytes:
    return long(group, number, b"SQ", len(item(content))) + item(content)


def shared(macro: int, content: bytes) -> bytes:
    """The functional groups of one frame, in one of which is what is given."""
    frame = sequence(0x5200, 0x9230, sequence(0x0020, 0x9111, b""))
    return sequence(0x5200, 0x9229, sequence(macro >> 16, macro & 0xFFFF, content)) + frame


# A parser converts what lies in a sequence when somebody looks at it, long after it has read the file.
INNER = {
    "a number of half its bytes": shared(0x00289110, short(0x0028, 0x0030, b"FD", b"abcd")),
    "a kind of value that there is not": shared(0x00289110, short(0x0028, 0x0030, b"ZZ", b"1\\1 ")),
    "cosines of half their bytes": shared(0x00209116, short(0x0020, 0x0037, b"FD", b"abcd")),
    "a region of half its bytes": sequence(0x0018, 0x6011, short(0x0018, 0x6018, b"FD", b"abcd")),
}


@pytest.mark.parametrize("inner", INNER)
def test_what_a_sequence_holds_costs_its_own_file_alone(inner: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"k" * 16)
    path = with_elements(tmp_path / "source" / "a.dcm", INNER[inner])
    for volumes in (False, True):
        found = scan_file(path.parent, path.name, RULE.model_copy(update={"volumes": volumes}))
        assert found.refused in (None, Reason.DAMAGED_HEADER)
    settings = IntakeSettings(labels=("a",), size=(8, 8), split_key_file=tmp_path / "key")
    gate = Gate(PixelRules.of(), Quarantine(tmp_path)).item("0" * 16, [path])
    with pytest.raises(Refusal) as refusal:
        decode_item([path], settings, gate=gate)
    assert refusal.value.reason == Reason.DAMAGED_HEADER


ESCAPED = {
    "a half of a pair": b"a\\ud800 ",
    "the other half": b"\\udfff  ",
    "one for each tag": b"\\ud800\\udc00 ",
}


@pytest.mark.parametrize("written", ESCAPED.values(), ids=ESCAPED)
def test_an_identifier_that_is_no_text_costs_its_own_file_alone(
    written: bytes, folder: Callable[..., tuple[Path, IntakeSettings, Path]], tmp_path: Path
) -> None:
    """Any codec of Python passes for a character set, also those that make halves of pairs, which nothing can encode."""
    source, settings, labels = folder()
    path = write(source / "escaped.dcm", PatientID="X" * len(written))
    content = path.read_bytes()
    coded = (
        short(0x0008, 0x0005, b"CS", b"unicode_escape") + content[(at := content.index(b"\x08\0\x08\0CS")) :]
    )
    path.write_bytes(content[:at] + coded.replace(b"X" * len(written), written, 1))
    info = preprocess(source, labels, tmp_path / "out", settings)
    assert sum(info.refusals.values()) == 1 and info.split("train").count >= 2


def test_a_file_that_is_gone_when_its_content_is_named_costs_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "source" / "a.dcm", BurnedInAnnotation="YES")
    (tmp_path / "key").write_bytes(b"k" * 16)
    settings = IntakeSettings(labels=("a",), size=(8, 8), split_key_file=tmp_path / "key")
    file = SourceFile(path.parent, path.name)
    gate = Gate(PixelRules.of(), Quarantine(tmp_path)).item("0" * 16, [file])
    examined = gate_module.look_at
    monkeypatch.setattr(gate_module, "look_at", lambda *given: (path.unlink(), examined(*given))[1])
    with pytest.raises(Refusal) as refusal:
        decode_item([file], settings, gate=gate)
    assert refusal.value.reason == Reason.NOT_A_FILE


def test_a_series_whose_slices_all_differ_is_refused_at_once() -> None:
    """They are compared where no process has limits: as many as one object may have frames would take hours."""
    start = time.process_time()
    members = (
        Member("a.dcm", f"{place:064d}", Slice(shape=(8, 8), echo=float(place), number=place))
        for place in range(20_000)
    )
    with pytest.raises(Refusal) as refusal:
        volumes_of(members)
    assert refusal.value.reason == Reason.TOO_MANY
    assert time.process_time() - start < 20


CLAIMS: dict[str, dict[str, object]] = {
    "frames": {"NumberOfFrames": "2000000000"},
    "more frames than any": {"NumberOfFrames": str(MAX_FRAMES + 1)},
    "frames below none": {"NumberOfFrames": "-5"},
    "size": {"Rows": 65535, "Columns": 65535},
    "width": {"Rows": 1, "Columns": 65535},
    "no rows": {"Rows": 0},
    "bits": {"BitsAllocated": 65528, "BitsStored": 65528},
    "samples": {"SamplesPerPixel": 65535},
    "colours": {"PhotometricInterpretation": MARKUP[:16]},
    "palette without one": {"PhotometricInterpretation": "PALETTE COLOR"},
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_a_header_claims_is_not_believed(claim: str, tmp_path: Path) -> None:
    path = write(tmp_path / "source" / "a.dcm", **CLAIMS[claim])
    with pytest.raises(Refusal):
        read_stack(path, 64 << 20).grey(0)
    outcome = deidentify_folder(Job(path.parent, tmp_path / "clean", RULES, 0, look=True))
    assert outcome.refused.total() == 1


@pytest.mark.parametrize("syntax", [RLELossless, JPEGBaseline8Bit])
def test_a_few_compressed_bytes_do_not_become_gigabytes(syntax: str, tmp_path: Path) -> None:
    jpeg = b"\xff\xd8\xff\xc0\x00\x0b\x08\xff\xff\xff\xff\x01\x01\x11\x00\xff\xd9"
    runs = struct.pack("<16I", 2, 64, 70, *[0] * 13) + b"\x81\x00" * 10
    frame = runs if syntax == RLELossless else jpeg
    path = write(tmp_path / "source" / "a.dcm")
    dataset = pydicom.dcmread(path)
    dataset.PixelData = pydicom.encaps.encapsulate([frame])
    dataset["PixelData"].is_undefined_length, dataset["PixelData"].VR = True, "OB"
    dataset.Rows = dataset.Columns = 16383
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = (16, 12, 11) if frame is runs else (8, 8, 7)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path)
    with pytest.raises(Refusal) as refusal:
        read_stack(path, 1 << 30)
    assert refusal.value.reason == Reason.CODESTREAM


def test_a_deflated_bomb_is_refused_by_de_identification_too(tmp_path: Path) -> None:
    path = write(tmp_path / "source" / "a.dcm")
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(path)
    content = path.read_bytes()
    at = pydicom.filereader.read_file_meta_info(path).FileMetaInformationGroupLength + 144
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = long(0x5001, 0x1001, b"UN", 0x7FFFFFF0) + b"\0" * (1 << 20)
    bomb = packer.compress(zeros) + b"".join(packer.compress(b"\0" * (1 << 24)) for _ in range(40))
    path.write_bytes(content[:at] + bomb + packer.flush())
    assert path.stat().st_size < 1 << 20
    outcome = deidentify_folder(Job(path.parent, tmp_path / "clean", RULES, 0))
    assert outcome.refused == {"too-large": 1}


def test_de_identifications_workers_have_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wardround.imaging.deid import folder

    seen: list[Limits] = []

    class Watched(Crew):
        def __init__(self, workers: int, limits: Limits = Limits()) -> None:
            seen.append(limits)
            super().__init__(workers, limits)

    monkeypatch.setattr(folder, "Crew", Watched)
    write(tmp_path / "source" / "a.dcm")
    deidentify_folder(Job(tmp_path / "source", tmp_path / "clean", RULES, 0))
    assert seen[0].memory is not None and seen[0].memory <= 16 << 30 and seen[0].seconds <= 60


def spin(result: Path) -> None:
    """Work that no single step of bounds: each is quick, and there is no end of them."""
    from wardround.imaging.busy import begin

    begin(result, 0, "the test")
    while result.with_suffix(".busy").exists():
        sum(range(100_000))


def test_a_piece_of_work_without_an_end_is_given_up(tmp_path: Path) -> None:
    reasons: list[Reason] = []

    def blamed(result: Path, reason: Reason) -> Path:
        reasons.append(reason)
        result.with_suffix(".busy").unlink()
        raise StopIteration

    with pytest.raises(StopIteration), Crew(1, Limits(seconds=0.02)) as crew:
        crew.run([tmp_path / "x"], spin, lambda task: None, blamed)
    assert reasons == [Reason.TOO_SLOW]


SHAPES = [(1, 1), (1, 60_000), (60_000, 1), (3, 20_000), (20_000, 7), (15, 1200), (2, 2)]


@pytest.mark.parametrize("shape", SHAPES)
def test_pictures_of_any_shape_are_looked_at_and_drawn(shape: tuple[int, int]) -> None:
    values = np.linspace(0, 255, shape[0] * shape[1]).reshape(shape)
    assert look(values) == []
    picture = Image.open(io.BytesIO(draw(values.astype(np.uint8), [Box(0, 0, *shape[::-1])])))
    assert max(picture.size) <= 2048 or min(picture.size) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e308])
def test_numbers_that_are_none_are_looked_at_or_refused(value: float) -> None:
    header = pydicom.Dataset()
    values = ramp().astype(np.float64)
    values[3:9] = value
    from wardround.imaging.reading.grey import Grey as Read

    for stored in (values, np.full((20, 20), value)):
        with np.errstate(all="ignore"):
            try:
                assert look_at([Read(stored, header)], [], PixelRules()).outcome is not None
            except Refusal as refusal:
                assert refusal.reason == Reason.UNSEEN


def test_an_error_of_the_libraries_that_look_costs_the_image_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    from wardround.imaging import gate
    from wardround.imaging.reading.grey import Grey as Read

    def fail(*_: object) -> None:
        cv2.resize(np.zeros((0, 0)), (0, 0))

    monkeypatch.setattr(gate, "examine", fail)
    with pytest.raises(Refusal) as refusal:
        gate.look_at([Read(ramp(), pydicom.Dataset())], [], PixelRules())
    assert refusal.value.reason == Reason.UNSEEN

    def absent(*_: object) -> None:
        raise WardroundError("the network is missing")

    monkeypatch.setattr(gate, "examine", absent)
    with pytest.raises(WardroundError, match="missing"):
        gate.look_at([Read(ramp(), pydicom.Dataset())], [], PixelRules())


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., tuple[Path, IntakeSettings, Path]]:
    """Two good images and what a test adds to them; labels for all patients."""

    def make(**chosen: object) -> tuple[Path, IntakeSettings, Path]:
        for name in ("a", "b"):
            write(tmp_path / "source" / f"{name}.dcm")
        (tmp_path / "key").write_bytes(b"k" * 32)
        fields = {
            "labels": (MARKUP.removesuffix("\x1b[2J"), "normal"),
            "size": (16, 16),
            "fractions": (1, 0, 0),
            "split_key_file": tmp_path / "key",
            "workers": 0,
            **chosen,
        }
        rows = [(name, "normal") for name in ("a", "b", "c", "thin")]
        labels = write_labels(tmp_path / "labels.csv", "patient", rows)
        return tmp_path / "source", IntakeSettings.model_validate(fields), labels

    return make


def test_no_name_or_header_puts_markup_into_the_page(
    folder: Callable[..., tuple[Path, IntakeSettings, Path]], tmp_path: Path
) -> None:
    source, settings, labels = folder(burned_in="ignore")
    evil = {keyword: MARKUP for keyword in FACT_TAGS if keyword != "ImageOrientationPatient"}
    write(source / "c.dcm", **evil, SeriesDescription=MARKUP, BodyPartExamined=MARKUP)
    (source / MARKUP.replace("/", "")).write_bytes(b"x")
    (source / os.fsdecode(b"\xff\xfe\n\r.dcm")).write_bytes(b"x")
    info = preprocess(source, labels, tmp_path / "out", settings)
    assert info.split("train").count == 3 and info.refusals == {"not-dicom": 2}
    write_report(tmp_path / "out", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    found = Elements()
    found.feed(page)
    assert "\x1b" not in page and not {"script", "iframe", "object", "link"} & {tag for tag, _ in found.seen}
    assert not [name for _, given in found.seen for name in given if name.startswith("on")]
    assert all(given["src"].startswith("data:image/png") for tag, given in found.seen if tag == "img")
    rows = list(
        csv.reader((tmp_path / "out" / "refusals.csv").open(newline="", encoding="utf-8"), strict=True)
    )
    assert len(rows) == 3 and all(row[0].isprintable() for row in rows)


def test_names_that_are_no_utf_8_are_names(
    folder: Callable[..., tuple[Path, IntakeSettings, Path]], tmp_path: Path
) -> None:
    source, settings, labels = folder(burned_in="ignore")
    strange = os.fsdecode(b"\xff\xfe=\n\r\x1b[31m.dcm")
    write(source / "c.dcm").rename(source / strange)
    info = preprocess(source, labels, tmp_path / "out", settings)
    assert info.split("train").count == 3 and not info.refusals
    again = Inventory.model_validate_json(Inventory.of(source).model_dump_json())
    assert again == Inventory.of(source) and strange in again.paths
    (source / strange).write_bytes(b"")
    assert preprocess(source, labels, tmp_path / "out", settings).refusals == {"empty-file": 1}
    outcome = deidentify_folder(Job(source, tmp_path / "clean", RULES, 0))
    outcome.write_report(tmp_path / "report.jsonl", names=True)
    assert outcome.refused == {"empty-file": 1} and (tmp_path / "report.jsonl").read_bytes().isascii()


def test_an_image_too_thin_to_look_at_costs_itself_alone(
    folder: Callable[..., tuple[Path, IntakeSettings, Path]], tmp_path: Path
) -> None:
    source, settings, labels = folder()
    write(source / "thin.dcm", ramp(4000, 3))
    info = preprocess(source, labels, tmp_path / "out", settings)
    assert info.split("train").count + sum(info.refusals.values()) == 3
    assert info.split("train").count >= 2


def test_an_entry_in_quarantine_shows_nothing_but_its_own(tmp_path: Path) -> None:
    verdict = Verdict(Outcome.QUARANTINED, (Suspicion.TEXT,), (), (), np.zeros((1, 60_000), np.uint8))
    entry = Quarantine(tmp_path).put("0123456789abcdef", "0" * 64, verdict, modality=MARKUP)
    assert entry.modality.isalpha() and len(entry.modality) <= 16
    picture = Quarantine(tmp_path).picture(entry)
    assert picture is not None and max(Image.open(picture).size) <= 2048
