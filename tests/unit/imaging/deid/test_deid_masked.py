"""Regions that are known to hold text are blackened, however pixels are compressed, and no other pixel changes."""

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from deid_cases import ct, read, rules, written
from imaging_cases import film
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)

from wardround.imaging.burned_in import Rules
from wardround.imaging.deid.files import MAX_BYTES, deidentify_object
from wardround.imaging.deid.folder import Job, deidentify_folder
from wardround.imaging.deid.shown import Shown, looked_at
from wardround.imaging.reasons import Reason, Refusal

NAME = "VEXLUND^ORRIN 1961-03-04"
# Rows of the banner above the sector.
BANNER = 40


def looked(dataset: Dataset) -> Shown:
    return looked_at(dataset, Rules(), MAX_BYTES)


def scan(pixels: np.ndarray, photometric: str = "MONOCHROME2", **elements: object) -> Dataset:
    """An ultrasound image [(frames), rows, columns, (colours)] of 8 bits, whose region begins below the banner."""
    colours = 1 if photometric.startswith(("MONO", "PALETTE")) else 3
    shape = pixels.shape[:-1] if colours == 3 else pixels.shape
    rows, columns = shape[-2:]
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, BANNER
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = columns - 1, rows - 1
    dataset = ct(
        SOPClassUID=UltrasoundImageStorage if len(shape) == 2 else UltrasoundMultiFrameImageStorage,
        Modality="US",
        ImageType=["ORIGINAL", "PRIMARY"],
        Rows=rows,
        Columns=columns,
        SamplesPerPixel=colours,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PhotometricInterpretation=photometric,
        SequenceOfUltrasoundRegions=Sequence([region]),
        BurnedInAnnotation="YES",
    )
    if colours == 3:
        dataset.PlanarConfiguration = 0
    if len(shape) == 3:
        dataset.NumberOfFrames = shape[0]
    dataset.add_new(0x7FE00010, "OW", pixels.tobytes())
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def picture(words: str = NAME) -> np.ndarray:
    """A picture of 8 bits, words in its banner."""
    grey = film("", 5, 192)
    banner = film(words, 5, 192)[:BANNER] if words else grey[:BANNER]
    grey = np.concatenate([banner, grey[BANNER:]])
    return (grey.astype(float) / grey.max() * 255).astype(np.uint8)


def named() -> np.ndarray:
    """The same, with bright ink all over the banner's middle."""
    pixels = picture("")
    pixels[8:30:4, 10:150] = 255
    return pixels


def compressed(dataset: Dataset, syntax: str) -> Dataset:
    """The object with its pixels compressed; JPEG baseline loses some."""
    if syntax == JPEGBaseline8Bit:
        pixels = dataset.pixel_array
        dataset.PixelData = encapsulate([imagecodecs.jpeg8_encode(pixels, level=95)])
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        dataset["PixelData"].is_undefined_length = True
    else:
        dataset.compress(syntax, generate_instance_uid=False)
    return dataset


def output(dataset: Dataset, **options: object) -> Dataset:
    found, account = deidentify_object(dataset, rules(**options), looked)
    assert account.masked
    return read(written(found, str(found.file_meta.TransferSyntaxUID)))


@pytest.mark.parametrize("syntax", ["", RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGBaseline8Bit])
def test_a_banner_beside_an_ultrasound_region_becomes_black_and_the_rest_stays(syntax: str) -> None:
    dataset = scan(named())
    if syntax:
        dataset = read(written(compressed(dataset, syntax), syntax))
    before, found = dataset.pixel_array, output(dataset)
    after = found.pixel_array
    assert before[:BANNER].max() > 200 and after[:BANNER].max() == before.min()
    assert np.array_equal(after[BANNER:], before[BANNER:])
    assert (found.BurnedInAnnotation, found.file_meta.TransferSyntaxUID) == ("NO", "1.2.840.10008.1.2.1")
    assert "113101" in [item.CodeValue for item in found.DeidentificationMethodCodeSequence]
    assert found.get("LossyImageCompression") == ("01" if syntax == JPEGBaseline8Bit else None)


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_colours_and_frames_are_blackened_too(photometric: str) -> None:
    grey = named()
    colours = np.stack([grey, np.full_like(grey, 90), np.full_like(grey, 160)], axis=-1)
    dataset = scan(np.stack([colours, colours[:, ::-1]]), photometric)
    found = output(dataset)
    after = np.frombuffer(found.PixelData, np.uint8).reshape(2, *colours.shape)
    black = [0, 0, 0] if photometric == "RGB" else [0, 128, 128]
    assert (after[:, :BANNER] == black).all()
    assert np.array_equal(after[1, BANNER:], colours[BANNER:, ::-1]) and found.NumberOfFrames == 2


def test_a_second_pass_changes_nothing() -> None:
    first, _ = deidentify_object(scan(named()), rules(), looked)
    again = read(written(first))
    second, account = deidentify_object(again, rules(), looked)
    assert account.unchanged and written(second) == written(first)


def test_a_masked_object_is_another_instance_even_if_uids_are_kept() -> None:
    dataset = scan(named())
    found = output(dataset, uids=True)
    assert found.StudyInstanceUID == dataset.StudyInstanceUID
    assert found.SOPInstanceUID != dataset.SOPInstanceUID
    assert found.file_meta.MediaStorageSOPInstanceUID == found.SOPInstanceUID


@pytest.mark.parametrize("whole", [False, True], ids=["no-regions", "the-whole-screen"])
def test_an_announcement_of_text_is_not_answered_by_a_region_that_hides_nothing(whole: bool) -> None:
    dataset = scan(picture(""))
    dataset.SequenceOfUltrasoundRegions[0].RegionLocationMinY0 = 0
    if not whole:
        del dataset.SequenceOfUltrasoundRegions
    with pytest.raises(Refusal) as refused:
        looked(dataset)
    assert refused.value.reason is Reason.SHOWN


def test_text_inside_of_a_region_is_still_found() -> None:
    pixels = picture("")
    pixels[80:120] = picture()[:BANNER]
    with pytest.raises(Refusal) as refused:
        looked(scan(pixels))
    assert refused.value.reason is Reason.SHOWN


def test_damaged_regions_are_a_refusal_and_end_no_run(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    dataset = scan(named())
    dataset.SequenceOfUltrasoundRegions[0].add_new(0x00186018, "LO", "left")
    (tmp_path / "in" / "a.dcm").write_bytes(written(dataset))
    (tmp_path / "in" / "b.dcm").write_bytes(written(scan(named(), SOPInstanceUID="1.2.3.9")))
    outcome = deidentify_folder(Job(tmp_path / "in", tmp_path / "out", rules(), 0, look=True))
    assert outcome.done == 1 and outcome.masked == 1 and outcome.refused.total() == 1
