"""One generated volume written as single-frame objects, or as an enhanced multi-frame object that says the same."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
    generate_uid,
)

SINGLE = {"MR": MRImageStorage, "CT": CTImageStorage}
ENHANCED = {"MR": EnhancedMRImageStorage, "CT": EnhancedCTImageStorage}
LEGACY = {"MR": LegacyConvertedEnhancedMRImageStorage}
OBLIQUE = (0.9659258, 0.1294095, -0.2241439, 0.0, 0.8660254, 0.5)
# Plain keyword: the functional group and the keyword in it.
GROUPS: Mapping[str, tuple[str, str]] = {
    "PixelSpacing": ("PixelMeasuresSequence", "PixelSpacing"),
    "ImagePositionPatient": ("PlanePositionSequence", "ImagePositionPatient"),
    "ImageOrientationPatient": ("PlaneOrientationSequence", "ImageOrientationPatient"),
    "RescaleIntercept": ("PixelValueTransformationSequence", "RescaleIntercept"),
    "RescaleSlope": ("PixelValueTransformationSequence", "RescaleSlope"),
    "WindowCenter": ("FrameVOILUTSequence", "WindowCenter"),
    "WindowWidth": ("FrameVOILUTSequence", "WindowWidth"),
    "VOILUTFunction": ("FrameVOILUTSequence", "VOILUTFunction"),
    "ImageType": ("MRImageFrameTypeSequence", "FrameType"),
    "EchoTime": ("MREchoSequence", "EffectiveEchoTime"),
    "DiffusionBValue": ("MRDiffusionSequence", "DiffusionBValue"),
    "StackID": ("FrameContentSequence", "StackID"),
    "TemporalPositionIdentifier": ("FrameContentSequence", "TemporalPositionIndex"),
    "AcquisitionNumber": ("FrameContentSequence", "FrameAcquisitionNumber"),
    "ConvolutionKernel": ("CTReconstructionSequence", "ConvolutionKernel"),
}
# What has no functional group of its own in a converted object (PS3.3 C.7.6.16.2.26).
UNASSIGNED = ("EchoTime", "AcquisitionNumber", "ConvolutionKernel", "TemporalPositionIdentifier")


@dataclass(frozen=True)
class Picture:
    """A slice: stored values, uint16 [rows, columns], and the elements that say where and what it is."""

    stored: np.ndarray
    elements: Mapping[str, object]

    def but(self, **elements: object) -> "Picture":
        return replace(self, elements={**self.elements, **elements})


@dataclass(frozen=True)
class Box:
    """Where a volume lies: `place` [3] is its first voxel, `along` the slices' distances (mm), `slant` [2] how far
    each is displaced along rows and columns for a mm along the normal."""

    shape: tuple[int, int] = (14, 12)
    orientation: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    place: tuple[float, float, float] = (-30.0, 20.0, 5.0)
    along: tuple[float, ...] = tuple(3.0 * index for index in range(8))
    spacing: tuple[float, float] = (1.5, 2.0)
    slant: tuple[float, float] = (0.0, 0.0)

    def directions(self) -> np.ndarray:
        """Unit vectors of slices, rows, columns."""
        columns, rows = np.reshape(self.orientation, (2, 3))
        return np.array([np.cross(columns, rows), rows, columns])

    def corner(self, along: float) -> np.ndarray:
        """The first pixel of a slice (mm)."""
        return np.array(self.place) + np.array([along, *(along * np.array(self.slant))]) @ self.directions()

    def centres(self, along: float) -> np.ndarray:
        """Every pixel of a slice, float64 [rows, columns, 3], by PS3.3 equation C.7.6.2.1-1."""
        rows, columns = np.indices(self.shape)
        _, down, right = self.directions()
        places = rows[..., None] * self.spacing[0] * down + columns[..., None] * self.spacing[1] * right
        return self.corner(along) + places


def pictures(
    value: Callable[[np.ndarray], np.ndarray], box: Box = Box(), **elements: object
) -> list[Picture]:
    """Slices of a field that gives each point [..., 3] (mm) a value, which is stored in steps of 1/16."""
    made = []
    for along in box.along:
        stored = np.rint(16 * (value(box.centres(along)) + 1024)).astype(np.uint16)
        own = {
            "ImagePositionPatient": [f"{number:.9g}" for number in box.corner(along)],
            "ImageOrientationPatient": list(box.orientation),
            "PixelSpacing": list(box.spacing),
            "RescaleSlope": 0.0625,
            "RescaleIntercept": -1024,
        }
        made.append(Picture(stored, {**own, **elements}))
    return made


def write_singles(
    folder: Path, slices: Sequence[Picture], modality: str = "MR", order: Sequence[int] | None = None
) -> Path:
    """Writes a file a slice; `order` says which slice each file holds. Instance numbers follow the slices."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, number in enumerate(order or range(len(slices))):
        picture = slices[number]
        dataset = _object(SINGLE[modality], modality, picture.stored[np.newaxis], f"{folder}/{number}")
        dataset.InstanceNumber = number + 1
        for keyword, value in picture.elements.items():
            setattr(dataset, keyword, value)
        dataset.save_as(folder / f"{file:03d}.dcm", enforce_file_format=True)
    return folder


def write_enhanced(
    folder: Path, slices: Sequence[Picture], modality: str = "MR", *, legacy: bool = False, number: int = 1
) -> Path:
    """Writes all slices as frames of one object; what is the same in all goes into the shared groups."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = np.stack([picture.stored for picture in slices])
    kinds = LEGACY if legacy else ENHANCED
    dataset = _object(kinds[modality], modality, stored, f"{folder}/{number}")
    dataset.InstanceNumber, dataset.NumberOfFrames = number, len(slices)
    shared = {
        keyword: value
        for keyword, value in slices[0].elements.items()
        if all(picture.elements.get(keyword) == value for picture in slices)
    }
    dataset.SharedFunctionalGroupsSequence = [_groups(shared, "Shared", legacy)]
    dataset.PerFrameFunctionalGroupsSequence = [
        _groups(
            {key: value for key, value in picture.elements.items() if key not in shared}, "PerFrame", legacy
        )
        for picture in slices
    ]
    dataset.save_as(folder / f"enhanced{number}.dcm", enforce_file_format=True)
    return folder


def _groups(elements: Mapping[str, object], which: str, legacy: bool) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        sequence, leaf = GROUPS[keyword]
        if legacy and keyword in UNASSIGNED:
            sequence, leaf = f"Unassigned{which}ConvertedAttributesSequence", keyword
        if sequence not in item:
            setattr(item, sequence, [Dataset()])
        setattr(item[sequence][0], leaf, value)
    return item


def _object(sop_class: UID, modality: str, stored: np.ndarray, name: str) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid(entropy_srcs=[name])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["series"])
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    dataset.PatientID, dataset.PatientName, dataset.Modality = "P1", "SECRET^NAME", modality
    dataset.Rows, dataset.Columns = stored.shape[1:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PixelData = stored.astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset
