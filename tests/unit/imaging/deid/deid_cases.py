"""What the tests of de-identification share: objects full of canaries, and the search for them in bytes."""

import base64
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.datadict import DicomDictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from wardround.imaging.deid.options import Options
from wardround.imaging.deid.rules import Rules
from wardround.imaging.deid.table import FILE
from wardround.imaging.deid.words import words

KEY = b"a key of thirty-two bytes, tests"
SHARED = Path(__file__).parents[5] / "shared" / "data"
_UNLISTED = """
    LongCodeValue StrainDescription RetrieveURL TextValue PatientBreedDescription CodeMeaning LUTExplanation
    SegmentLabel ContentDescription DerivationDescription ObservationDescription DetectorMode EvaluatorName
    ConfigurationInformation RadiationMachineName ProcedureCreationDate ICCProfile
"""
DEFLATED = "1.2.840.10008.1.2.1.99"


def rules(key: bytes = KEY, **options: object) -> Rules:
    """Rules of a key and single options."""
    return Rules.of(Options.model_validate(options), key)


def table_rows() -> list[dict[str, object]]:
    """The generated table as it lies on disk."""
    return list(json.loads(FILE.read_text("utf-8"))["attributes"])


@dataclass
class Canaries:
    """Makes values that occur nowhere else, and remembers them by where they were planted."""

    planted: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def value(self, vr: str, where: str) -> object:
        """A canary of a VR: text, numbers, or bytes."""
        self.count += 1
        n = self.count
        if vr == "PN":
            parts = [f"Qz{n}{part}" for part in ("Fam", "Giv", "Ide", "Pho")]
            for part in parts:
                self.planted[f"{where}/{part}"] = part
            return f"{parts[0]}^{parts[1]}={parts[2]}={parts[3]}"
        value, text = self._plain(vr, n)
        self.planted[where] = text
        return value

    def _plain(self, vr: str, n: int) -> tuple[object, str]:
        dates = {
            "DA": f"{1601 + n // 300}{1 + n % 12:02d}{1 + n % 28:02d}",
            "TM": f"{n % 24:02d}3917.{n:06d}",
        }
        if vr in dates:
            return dates[vr], dates[vr]
        if vr == "DT":
            return f"{dates['DA']}{dates['TM']}+0137", f"3917.{n:06d}"
        if vr == "UI":
            return f"1.2.3.9999.{n}.77", f"1.2.3.9999.{n}.77"
        if vr in ("DS", "IS"):
            return str(73910000 + n), str(73910000 + n)
        if vr == "AS":
            return "117Y", "117Y"
        if vr in ("US", "SS"):
            text = f"Qz{n:06d}"
            return [int.from_bytes(text[at : at + 2].encode(), "little") for at in range(0, 8, 2)], text
        if vr == "UR":
            return f"http://qz{n}kx.example/", f"qz{n}kx"
        if vr in ("CS", "AE"):
            return f"QZ{n}KX", f"QZ{n}KX"
        if vr in ("OB", "OW", "UN", "OB or OW"):
            return f"Qz{n:06d}".encode(), f"Qz{n:06d}"
        return f"Qz{n}Kx", f"Qz{n}Kx"


def ct(**elements: object) -> Dataset:
    """A small CT image with a full identity; keywords become elements."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = CTImageStorage, "1.2.3.1", "CT"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.2", "1.2.3.3"
    dataset.FrameOfReferenceUID = "1.2.3.4"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = (
        "Vexlund^Orrin",
        "HK4711-12",
        "19440229",
    )
    dataset.PatientSex = "M"
    dataset.StudyDate, dataset.StudyTime, dataset.SeriesDate = "20200229", "101112", "20200301"
    dataset.AccessionNumber, dataset.StudyID, dataset.ReferringPhysicianName = "ACC998877", "17", "Quist^Ada"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 4, 4, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PhotometricInterpretation, dataset.ImageType = "MONOCHROME2", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.add_new(0x7FE00010, "OW", bytes(range(32)))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def nested(item: Dataset, *keywords: str) -> Dataset:
    """A dataset in which `item` lies below the named sequences, the first one outermost."""
    for keyword in reversed(keywords):
        outer = Dataset()
        setattr(outer, keyword, Sequence([item]))
        item = outer
    return item


def written(dataset: Dataset, syntax: str = ExplicitVRLittleEndian, preamble: bytes = b"") -> bytes:
    """The dataset as a DICOM file in a transfer syntax."""
    uid = UID(syntax)
    dataset.file_meta.TransferSyntaxUID = uid
    stream = io.BytesIO()
    if preamble:
        dataset.preamble = preamble
    dataset.save_as(
        stream,
        implicit_vr=uid.is_implicit_VR,
        little_endian=uid.is_little_endian,
        enforce_file_format=True,
    )
    return stream.getvalue()


def read(content: bytes) -> Dataset:
    """A DICOM file's content as a dataset."""
    return pydicom.dcmread(io.BytesIO(content))


def canary_object(canaries: Canaries) -> Dataset:
    """An object with a canary in every attribute of the table, in four places, and in all other corners."""
    dataset = ct()
    _plant_table(dataset, canaries, "top")
    for place, keywords in {
        "listed": ("ReferencedImageSequence", "SourceImageSequence", "ReferencedImageSequence"),
        "unlisted": ("AnatomicRegionSequence", "SharedFunctionalGroupsSequence", "ViewCodeSequence"),
        "report": ("ContentSequence", "ContentSequence", "ContentSequence"),
        "dummied": ("VerifyingObserverSequence", "GraphicAnnotationSequence", "AnatomicRegionSequence"),
    }.items():
        item = Dataset()
        _plant_table(item, canaries, place)
        _plant_private(item, canaries, place)
        dataset.update(nested(item, *keywords))
    _plant_private(dataset, canaries, "top")
    _plant_planes(dataset, canaries)
    _plant_every_vr(dataset, canaries)
    return dataset


def leaks(content: bytes, canaries: Canaries) -> list[str]:
    """Where the canaries that are found in a file's bytes were planted, whatever they are encoded in."""
    return [
        where for where, text in canaries.planted.items() if any(form in content for form in _forms(text))
    ]


def inflated(content: bytes) -> bytes:
    """A deflated file's dataset, or the content itself."""
    start = content.find(b"1.2.840.10008.1.2.1.99")
    if start < 0:
        return content
    meta = int.from_bytes(content[140:144], "little")
    return zlib.decompress(content[144 + meta :], -zlib.MAX_WBITS)


def _forms(text: str) -> Iterator[bytes]:
    for plain in (text.encode(), text.encode("utf-16-le"), text.encode("utf-16-be")):
        yield plain
        yield plain[::-1]
    swapped = text.encode() + b" " * (len(text) % 2)
    yield b"".join(swapped[at + 1 : at - 1 if at else None : -1] for at in range(0, len(swapped) - 1, 2))
    for shift in range(3):
        # The three ways that base64 can cut it; the ends depend on the neighbours.
        yield base64.b64encode(b"\0" * shift + text.encode())[4:-4] or text.encode()


def _plant_table(target: Dataset, canaries: Canaries, place: str) -> None:
    for row in table_rows():
        tag, vr = str(row["tag"]), str(row["vr"])
        if "x" in tag or int(tag[:4], 16) < 8:
            continue
        where = f"{place} {tag} {row['keyword']}"
        if vr == "SQ":
            item = Dataset()
            for keyword in ("CodeMeaning", "CodeValue", "TextValue", "PersonName", "LongCodeValue", "UID"):
                element = DicomDictionary[Tag(keyword)]
                item.add_new(Tag(keyword), element[0], canaries.value(element[0], f"{where} {keyword}"))
            target.add(DataElement(int(tag, 16), "SQ", Sequence([item])))
        else:
            target.add_new(int(tag, 16), vr or "LO", canaries.value(vr, where))


def _plant_private(target: Dataset, canaries: Canaries, place: str) -> None:
    for group, creator in ((0x0009, "CANARY MAKER"), (0x0019, "SIEMENS MR HEADER"), (0x0043, "GEMS_PARM_01")):
        block = target.private_block(group, creator, create=True)
        for offset, vr in enumerate(("LO", "SH", "LT", "UT", "UC", "UR", "PN", "OB", "UN", "DS", "ST", "DA")):
            where = f"{place} private {group:04x} {vr}"
            block.add_new(0x60 + offset, vr, canaries.value(vr, where))
        inner = Dataset()
        inner.PatientName = canaries.value("PN", f"{place} private {group:04x} SQ")
        block.add_new(0x50, "SQ", Sequence([inner]))
    # No creator, and a creator that is a name itself.
    target.add_new(0x00770010, "LO", canaries.value("LO", f"{place} private creator"))
    target.add_new(0x00791001, "LO", canaries.value("LO", f"{place} private without creator"))


def _plant_planes(target: Dataset, canaries: Canaries) -> None:
    for group in (0x5000, 0x500E, 0x6000, 0x601E):
        for number, vr in ((0x0022, "LO"), (0x2500, "LO"), (0x3000, "OW"), (0x4000, "LT"), (0x1500, "LO")):
            tag = group << 16 | number
            target.add_new(tag, vr, canaries.value(vr, f"plane {tag:08x}"))
    target.add_new(0xFFFCFFFC, "OB", canaries.value("OB", "trailing padding"))
    # Even groups that no dictionary has, and a repeating group of old.
    for tag in (0x00089999, 0x7FE00099, 0x002031FF, 0x10101234, 0x40109999):
        target.add_new(tag, "LO", canaries.value("LO", f"unknown {tag:08x}"))
        target.add_new(tag + 0x10000 * 2, "UN", canaries.value("UN", f"unknown {tag:08x} UN"))


def _plant_every_vr(target: Dataset, canaries: Canaries) -> None:
    """Standard text attributes that the table does not list, one of each VR and more."""
    for keyword in words(_UNLISTED):
        vr = DicomDictionary[Tag(keyword)][0]
        target.add_new(Tag(keyword), vr, canaries.value(vr, f"every vr {keyword}"))
