"""What the imaging tests share: pictures, identifiers, and changing a DICOM file element by element."""

from collections.abc import Callable
from pathlib import Path

import gdcm
import numpy as np
import pydicom

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
