"""The demo's split keys, which say who is trained on and who is held out.

A hospital's key is random. The demo's follows from the seed, so that a seed gives the same patients in the same
split, and with them the same figures. With few patients, most keys leave a split without one of the labels, where
no AUROC is defined: of a series of keys the demo takes the first that gives every label a fair part of each split.
Only labels are looked at, before anything is trained.
"""

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from wardround.imaging.header import IDENTITY_TAGS, quiet, read_dataset, text
from wardround.imaging.scan import list_files
from wardround.imaging.settings import SPLITS
from wardround.imaging.splits import split_of

# Those of `IntakeSettings`.
FRACTIONS = (0.7, 0.1, 0.2)
# Of a label's images, each split gets at least this share of what its fraction would give.
_FAIR = 0.5
_KEYS = 500
_HEADER_BYTES = 1 << 26

# A patient and a label, once per image.
Labelled = Sequence[tuple[str, str]]


def keep_split_key(path: Path, seed: str, images: Labelled) -> None:
    """Writes the key to a file that only its owner can read, unless it is there."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(choose_key(seed, images))


def choose_key(seed: str, images: Labelled) -> bytes:
    """The first fair key that follows from `seed`; of unfair ones only, the fairest. 32 bytes."""
    best, fairest = b"", -1.0
    for key in _keys(seed):
        found = fairness(key, images)
        if found >= _FAIR:
            return key
        if found > fairest:
            best, fairest = key, found
    return best


def fairness(key: bytes, images: Labelled) -> float:
    """The worst, over splits and labels, of images in the split against those that its fraction gives; 1 is ideal."""
    placed = Counter((split_of(patient, key, FRACTIONS), label) for patient, label in images)
    totals = Counter(label for _, label in images)
    shares = (
        placed[split, label] / (fraction * count)
        for split, fraction in zip(SPLITS, FRACTIONS, strict=True)
        for label, count in totals.items()
    )
    return min(shares, default=1.0)


def labelled_images(dicom: Path, labels: Path) -> list[tuple[str, str]]:
    """Patient and label of every image, or of every series where the label table is by series."""
    with labels.open(newline="", encoding="utf-8") as stream:
        table = csv.DictReader(stream)
        by_series = "series" in (table.fieldnames or ())
        column, keyword = ("series", "SeriesInstanceUID") if by_series else ("sop_instance", "SOPInstanceUID")
        label_of = {row[column]: row["label"] for row in table}
    files = list_files(dicom)
    # One file tells of its series, and a series has its own folder.
    chosen = {path.rpartition("/")[0]: path for path in files}.values() if by_series else files
    with quiet():
        headers = [read_dataset(dicom / path, IDENTITY_TAGS, _HEADER_BYTES) for path in chosen]
        named = [(text(header, keyword), text(header, "PatientID")) for header in headers]
    return [(patient, label_of[name]) for name, patient in named if name in label_of]


def _keys(seed: str) -> Iterator[bytes]:
    for number in range(_KEYS):
        yield hashlib.sha256(f"wardround/demo/{seed}/{number}".encode()).digest()
