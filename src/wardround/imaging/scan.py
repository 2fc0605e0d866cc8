"""The first pass: which files are images, and which belong together. No pixels are read.

What the pass keeps about a file holds no identifier, only keyed hashes.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict
from pydicom.dataset import Dataset

from wardround.imaging.label_file import KEY_COLUMNS
from wardround.imaging.labels import image_keys
from wardround.imaging.reading.files import SourceFile, SourcePath
from wardround.imaging.reading.files import list_files as list_files
from wardround.imaging.reading.header import (
    CLAIM_TAGS,
    IDENTITY_TAGS,
    check_claims,
    guarded,
    quiet,
    read_dataset,
    text,
)
from wardround.imaging.reading.kinds import Kind, kind_of
from wardround.imaging.reasons import Reason, Refusal
from wardround.imaging.splits import keyed
from wardround.imaging.statistics.facts import FACT_TAGS, Facts, facts_of
from wardround.imaging.volumes.frames import VOLUME_TAGS, slices_of
from wardround.imaging.volumes.slices import Slice


class Found(BaseModel):
    """One file: its path relative to the source, its kind, and either a refusal or what places it.

    instance, series and patient are keyed hashes (hex) of the identifiers; `label_keys` holds those under which
    a label table may know the file, by column. `facts` are for the hospital's own statistics. `slices`: where
    volumes are wanted, what the object holds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: SourcePath
    kind: Kind = Kind()
    refused: Reason | None = None
    instance: str = ""
    series: str = ""
    patient: str = ""
    label_keys: dict[str, str] = {}
    facts: Facts = Facts()
    slices: tuple[Slice, ...] = ()


class ScanRule(BaseModel):
    """What the scan of a file depends on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: bytes
    modality: tuple[str, ...]
    max_bytes: int
    volumes: bool = False
    follow_links: bool = False


def scan_file(source: Path, path: str, rule: ScanRule) -> Found:
    """Reads one header; whatever is wrong with the file is in the answer, not raised."""
    file = SourceFile(source, path, rule.follow_links)
    try:
        # What lies in sequences is converted when it is looked at, so all of this may raise what reading may.
        with quiet(), guarded():
            return _found(file, rule)
    except Refusal as refusal:
        return Found(path=path, kind=kind_of(file), refused=refusal.reason)


def _found(file: SourceFile, rule: ScanRule) -> Found:
    more = VOLUME_TAGS if rule.volumes else ()
    header = read_dataset(file, [*IDENTITY_TAGS, *CLAIM_TAGS, *FACT_TAGS, *more], rule.max_bytes)
    if text(header, "Modality") not in rule.modality:
        raise Refusal(Reason.MODALITY)
    slices = _slices(header, rule)
    patient, instance = text(header, "PatientID"), text(header, "SOPInstanceUID")
    # Without a patient nothing could keep one patient's images in one split.
    if not patient or not instance:
        raise Refusal(Reason.NO_IDENTITY)
    identifiers = {column: text(header, keyword) for column, keyword in KEY_COLUMNS.items()}
    return Found(
        path=file.path,
        kind=kind_of(file),
        instance=keyed(rule.key, "instance", instance),
        series=keyed(rule.key, "series", text(header, "SeriesInstanceUID") or instance),
        patient=keyed(rule.key, "patient", patient),
        label_keys=image_keys(identifiers, rule.key),
        facts=facts_of(header),
        slices=slices,
    )


def _slices(header: Dataset, rule: ScanRule) -> tuple[Slice, ...]:
    if rule.volumes:
        return slices_of(header, rule.key, rule.max_bytes)
    check_claims(header, rule.max_bytes)
    return ()
