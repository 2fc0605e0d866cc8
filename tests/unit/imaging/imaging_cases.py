"""What the imaging tests share: pictures, identifiers, and changing a DICOM file element by element."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import gdcm
import numpy as np
import pydicom
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
)

from wardround.imaging import chunks
from wardround.imaging.reading.deadline import limited
from wardround.imaging.reading.files import SourceFile
from wardround.imaging.settings import IntakeSettings
from wardround.imaging.writer import Grey, Origin

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
TWELVE_BITS = Grey(12)
# Elements whose type depends on PixelRepresentation; all test objects are unsigned.
AMBIGUOUS = ("PixelPaddingValue",)

WriteXray = Callable[..., str]
WriteSeries = Callable[..., str]
Settings = Callable[..., IntakeSettings]
Label = Callable[..., Path]


def origin(name: str, patient: str, number: int = 1, series: str | None = None) -> Origin:
    """An origin whose identifiers all follow from the name."""
    return Origin(patient, "SECRET^NAME", name, series or name, name, number)


def picture(rows: int = 40, columns: int = 30, bits: int = 12) -> np.ndarray:
    """A ramp with a bright square, using all of the stored range."""
    ramp = np.linspace(0, 2**bits - 1, rows * columns).reshape(rows, columns)
    ramp[5:9, 5:9] = 2**bits - 1
    return ramp.astype(np.uint8 if bits <= 8 else np.uint16)


def change(path: Path, **elements: object) -> None:
    """Sets elements of a file; None removes one."""
    if not elements:
        return
    dataset = pydicom.dcmread(path)
    for keyword, value in elements.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
        if keyword in AMBIGUOUS:
            dataset[keyword].VR = "US"
    dataset.save_as(path)


def jpeg_lossless(path: Path) -> None:
    """Compresses a file as JPEG lossless, process 14 selection value 1, which gdcm can write."""
    reader, converter, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(path))
    assert reader.Read()
    converter.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    converter.SetInput(reader.GetImage())
    assert converter.Change()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(converter.GetOutput())
    assert writer.Write()


def write_pixels(
    path: Path, pixels: bytes | list[bytes], syntax: str = ExplicitVRLittleEndian, **elements: object
) -> Path:
    """Writes an object with these bytes as its pixel data (a list: encapsulated frames) and these elements."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = MultiFrameGrayscaleWordSecondaryCaptureImageStorage, "1.2.3"
    defaults = {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "PixelRepresentation": 0}
    for keyword, value in {**defaults, **elements}.items():
        setattr(dataset, keyword, value)
    for keyword in ("PixelPaddingValue", "SmallestImagePixelValue"):
        if keyword in dataset:
            dataset[keyword].VR = "SS" if dataset.PixelRepresentation else "US"
    if isinstance(pixels, list):
        dataset.PixelData = encapsulate(pixels)
        dataset["PixelData"].is_undefined_length = True
    else:
        dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
    dataset["PixelData"].VR = "OW" if elements["BitsAllocated"] > 8 and isinstance(pixels, bytes) else "OB"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    dataset.save_as(path, implicit_vr=implicit, little_endian=little, enforce_file_format=True)
    return path


def describe(array: np.ndarray, bits: int | None = None) -> dict[str, object]:
    """The elements that describe an array [rows, columns] or [rows, columns, 3] of integers."""
    allocated = 8 * array.dtype.itemsize
    used = bits or allocated
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    return {
        "Rows": array.shape[0],
        "Columns": array.shape[1],
        "BitsAllocated": allocated,
        "BitsStored": used,
        "HighBit": used - 1,
        "PixelRepresentation": int(array.dtype.kind == "i"),
        **(colour if array.ndim == 3 else {}),
    }


def film(text: str = "", seed: int = 0, side: int = 320) -> np.ndarray:
    """Smooth shadows with a little noise, 12 bit, and white letters in a corner."""
    generator = np.random.default_rng(seed)
    small = generator.uniform(400, 2600, (5, 5)).astype(np.float32)
    picture = Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)
    values = np.asarray(picture) + generator.normal(0, 15, (side, side))
    ink = Image.new("L", (side, side))
    ImageDraw.Draw(ink).text((12, 16), text, fill=255, font=ImageFont.load_default(20))
    return np.where(np.asarray(ink) > 100, 4095, values).clip(0, 4095).astype(np.uint16)


def crash_on_x7(chunk: chunks.Chunk) -> None:
    """Works like the intake's own, but one file ends the process as a crashing decoder would."""
    _run_with(chunk, lambda: os.kill(os.getpid(), signal.SIGSEGV))


def hang_on_x7(chunk: chunks.Chunk) -> None:
    """Works like the intake's own, but a decoder never comes back from one file."""

    def hang() -> None:
        with limited():
            while True:
                pass

    _run_with(chunk, hang)


def _run_with(chunk: chunks.Chunk, trouble: Callable[[], None]) -> None:
    decode = chunks.decode_item

    def troubled(files: list[SourceFile], *rest: object) -> np.ndarray:
        if Path(files[0].path).name == "x7.dcm":
            trouble()
        return decode(files, *rest)

    chunks.decode_item = troubled
    try:
        chunks.run_chunk(chunk)
    finally:
        chunks.decode_item = decode
