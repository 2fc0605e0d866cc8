"""Writing DICOM objects for generated and wrapped images: DX and MR, single-frame, greyscale.

Only for images that are not a hospital's own; the identifiers are made from what the caller names, so that
the same input gives the same file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as ItemSequence
from pydicom.uid import (
    UID,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
    generate_uid,
)

SYNTAXES: dict[str, UID] = {"none": ExplicitVRLittleEndian, "rle": RLELossless, "jpeg-ls": JPEGLSLossless}
_DATE, _TIME = "20000101", "120000"


@dataclass(frozen=True)
class Origin:
    """Who an image is said to be of and from; study, series and instance are any text, unique in their context."""

    patient: str
    name: str
    study: str
    series: str
    instance: str
    number: int = 1
    manufacturer: str = "WARDROUND PHANTOM"
    comments: str = "generated"


@dataclass(frozen=True)
class Grey:
    """How stored values are to be read: bits used, MONOCHROME1 or 2, window (center, width), spacing (mm)."""

    bits: int
    photometric: str = "MONOCHROME2"
    window: tuple[float, float] | None = None
    spacing: tuple[float, float] = (1.0, 1.0)
    compression: str = "none"


@dataclass(frozen=True)
class Plane:
    """Where an MR slice lies: orientation [6] (cosines) and position [3] (mm) in patient coordinates."""

    orientation: Sequence[float]
    position: Sequence[float]
    thickness: float


def write_dx(path: Path, stored: np.ndarray, origin: Origin, grey: Grey) -> str:
    """Writes a Digital X-Ray Image for Presentation (PS3.3 A.26) and returns its SOP instance UID.

    stored: uint8 or uint16 [rows, columns] with values below 2^grey.bits.
    """
    dataset = _common(DigitalXRayImageStorageForPresentation, "DX", origin)
    _describe_x_ray(dataset, grey)
    return _save(path, dataset, stored, grey)


def write_mr(path: Path, stored: np.ndarray, origin: Origin, grey: Grey, plane: Plane) -> str:
    """Writes one slice as MR Image Storage (PS3.3 A.4) and returns its series instance UID.

    stored: uint8 or uint16 [rows, columns] with values below 2^grey.bits.
    """
    dataset = _common(MRImageStorage, "MR", origin)
    dataset.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = "SE", "NONE", ""
    dataset.MRAcquisitionType, dataset.EchoTime, dataset.RepetitionTime = "2D", 90, 3000
    dataset.EchoTrainLength = 1
    dataset.FrameOfReferenceUID = _uid("frame", origin.study)
    dataset.PositionReferenceIndicator = ""
    dataset.ImageOrientationPatient = [f"{value:.6f}" for value in plane.orientation]
    dataset.ImagePositionPatient = [f"{value:.4f}" for value in plane.position]
    dataset.SliceThickness = f"{plane.thickness:.4f}"
    dataset.PixelSpacing = [f"{value:.6f}" for value in grey.spacing]
    _save(path, dataset, stored, grey)
    return str(dataset.SeriesInstanceUID)


def _common(sop_class: UID, modality: str, origin: Origin) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.Modality = sop_class, modality
    dataset.SOPInstanceUID = _uid("instance", origin.instance)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = (
        _uid("study", origin.study),
        _uid("series", origin.series),
    )
    dataset.PatientID, dataset.PatientName = origin.patient, origin.name
    dataset.PatientBirthDate, dataset.PatientSex = "", ""
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = dataset.AcquisitionDate = _DATE
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = dataset.AcquisitionTime = _TIME
    dataset.AccessionNumber, dataset.StudyID, dataset.ReferringPhysicianName = "", "1", ""
    dataset.SeriesNumber, dataset.InstanceNumber = 1, origin.number
    dataset.Manufacturer, dataset.ImageComments = origin.manufacturer, origin.comments
    dataset.Laterality, dataset.PatientOrientation = "", ""
    return dataset


def _describe_x_ray(dataset: Dataset, grey: Grey) -> None:
    dataset.ImageType = ["DERIVED", "SECONDARY", ""]
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.BodyPartExamined, dataset.ImageLaterality, dataset.ViewPosition = "CHEST", "U", ""
    dataset.AnatomicRegionSequence, dataset.AcquisitionContextSequence = ItemSequence(), ItemSequence()
    dataset.PatientOrientation = ["L", "F"]
    dataset.PixelIntensityRelationship, dataset.PixelIntensityRelationshipSign = "LOG", -1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    inverse = grey.photometric == "MONOCHROME1"
    dataset.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"
    dataset.LossyImageCompression, dataset.BurnedInAnnotation = "00", "NO"
    dataset.DetectorType, dataset.ImagerPixelSpacing = "", list(grey.spacing)


def _save(path: Path, dataset: Dataset, stored: np.ndarray, grey: Grey) -> str:
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, grey.photometric
    dataset.BitsAllocated = 8 * stored.dtype.itemsize
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = grey.bits, grey.bits - 1, 0
    if grey.window is not None:
        dataset.WindowCenter, dataset.WindowWidth = (f"{value:.6g}" for value in grey.window)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    raw = stored.astype(stored.dtype.newbyteorder("<"), copy=False).tobytes()
    dataset.PixelData = raw + b"\0" * (len(raw) % 2)
    dataset["PixelData"].VR = "OB" if stored.dtype.itemsize == 1 else "OW"
    if grey.compression != "none":
        dataset.compress(SYNTAXES[grey.compression], generate_instance_uid=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return str(dataset.SOPInstanceUID)


def _uid(kind: str, name: str) -> UID:
    return generate_uid(entropy_srcs=["wardround", kind, name])
