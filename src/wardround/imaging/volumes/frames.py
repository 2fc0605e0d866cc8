"""What an object holds: one slice, or the frames of an enhanced multi-frame object, seen as single-frame slices."""

from collections.abc import Mapping

from pydicom.dataset import Dataset

from wardround.imaging.reading.groups import GROUP_TAGS, PER_FRAME, frame_header, is_enhanced
from wardround.imaging.reading.header import check_claims
from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.volumes.slices import SLICE_TAGS, Slice, slice_of

# What a header is read for where slices are to become volumes.
VOLUME_TAGS = (*SLICE_TAGS, *GROUP_TAGS)

# What functional groups (PS3.3 C.7.6.16.2, C.8.13.5, C.8.15.3) call by another name than single-frame objects.
_NAMES: Mapping[str, str] = {
    "FrameType": "ImageType",
    "EffectiveEchoTime": "EchoTime",
    "TemporalPositionIndex": "TemporalPositionIdentifier",
    "FrameAcquisitionNumber": "AcquisitionNumber",
    "NominalCardiacTriggerDelayTime": "TriggerTime",
}


def slices_of(header: Dataset, key: bytes, max_bytes: int) -> tuple[Slice, ...]:
    """The slices of an object by its header, frames in their order; `key` makes the hashes.

    Raises Refusal for more than one frame without a description of each, and for a frame larger than
    `max_bytes`; what else is wrong with an element raises ValueError or TypeError.
    """
    check_claims(header, max_bytes)
    count = int(header.get("NumberOfFrames") or 1)
    if not is_enhanced(header):
        if count > 1:
            raise Refusal(Reason.MULTI_FRAME)
        return (slice_of(header, key),)
    if len(header.get(PER_FRAME) or ()) != count:
        raise Refusal(Reason.FRAMES)
    return tuple(slice_of(plain_header(header, index), key, index) for index in range(count))


def plain_header(header: Dataset, index: int) -> Dataset:
    """The header of frame `index` with the elements that a single-frame object would have."""
    plain = frame_header(header, index)
    for keyword, name in _NAMES.items():
        if keyword in plain:
            setattr(plain, name, plain[keyword].value)
    return plain
