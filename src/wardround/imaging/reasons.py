"""Why a file or series was not used. The codes are fixed text: they may be counted and may leave a hospital."""

from enum import StrEnum

from wardround.errors import RefusedError


class Reason(StrEnum):
    """Reason codes of the intake; the value is what `dataset.json` and `refusals.csv` show."""

    EMPTY = "empty-file"
    NOT_A_FILE = "not-a-regular-file"
    LINK = "symbolic-link"
    NOT_DICOM = "not-dicom"
    DAMAGED_HEADER = "damaged-header"
    TOO_DEEP = "nested-too-deep"
    TOO_MANY = "too-many-elements"
    TOO_LARGE = "too-large"
    TRUNCATED = "truncated"
    NO_IDENTITY = "identifier-missing"
    MODALITY = "modality-not-wanted"
    NO_PIXELS = "no-pixels"
    MULTI_FRAME = "multi-frame"
    PHOTOMETRIC = "photometric-unsupported"
    BIT_DEPTH = "bit-depth"
    SYNTAX = "transfer-syntax-unsupported"
    CODESTREAM = "codestream-disagrees-with-header"
    PALETTE = "palette-unusable"
    UNDECODABLE = "undecodable"
    DECODER_CRASH = "decoder-crash"
    TOO_SLOW = "too-slow"
    OUT_OF_MEMORY = "out-of-memory"
    BLANK = "blank"
    DUPLICATE = "duplicate-instance"
    LABEL_MISSING = "label-missing"
    LABEL_UNKNOWN = "label-unknown"
    LABEL_CONFLICT = "label-conflict"
    MIXED_PATIENT = "series-of-several-patients"
    DUPLICATE_POSITION = "series-duplicate-position"
    NO_POSITION = "series-without-positions"
    SLICE_GAP = "series-slice-missing"
    TOO_FEW_SLICES = "series-too-few-slices"
    PRIVATE_CLASS = "sop-class-private"
    DIRECTORY = "media-directory"
    OVERLAY = "overlay-in-pixels"
    OTHER_RULES = "deidentified-with-other-options"
    NOT_USED = "series-volume-not-used"
    LOCALIZER = "series-localizer-only"
    MOSAIC = "series-mosaic"
    UNEVEN = "series-unevenly-spaced"
    DISPLACED = "series-slices-displaced"
    NO_SPACING = "series-without-spacing"
    FRAMES = "frames-disagree-with-header"
    BURNED_IN = "waits-in-quarantine"
    REJECTED = "rejected-in-quarantine"
    UNSEEN = "pixels-cannot-be-looked-at"
    SHOWN = "pixels-may-show-the-patient"


class Refusal(RefusedError):
    """A file or series is not used. Its text is the reason code alone, never an element's value."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value, code=reason.value)
        self.reason = reason
